/**
 * Services that declare something of the front door have a location of their own, which requests reach by their service, never by
 * a path: so whatever a path looks like, no service is reached around its door. Others pay nothing for it. Pure.
 */
import type { DoorRules, FrontDoor } from '../front-door/front-door.ts';
import { knowsClients } from '../front-door/front-door.ts';
import { type Door, doorPlace, doorsOf } from './doors.ts';
import { type Argument, block, type Directive, directive, entry, type NginxText, nginxText } from './emit.ts';
import { proxyHeaders } from './http-parts.ts';
import { exact, header, refusedStatus } from './location-parts.ts';
import { asksByOperation, operationMaps, operationVariable, refusedPart } from './operation-doors.ts';

/** What the http block needs for it. */
export function doorParts(door: FrontDoor): Directive[] {
  const { services } = door;
  const zones = new Map(services.flatMap(doorsOf).map(({ zone, rate }) => [zone, rate]));
  const limited = [...zones].flatMap(([zone, rate]) => (zone === null || rate === null ? [] : [{ zone, rate }]));
  const shared = services.some(({ cors }) => cors !== null);
  return [
    ...(limited.length === 0
      ? []
      : [
          // One key for all zones: nginx refuses to reload a zone whose key is another one.
          block(
            'map',
            [nginxText`$mcp_client`, nginxText`$mcp_limit_key`],
            [directive('default', nginxText`$mcp_client`), directive('', nginxText`$binary_remote_addr`)],
          ),
          directive('limit_req_status', 429),
          directive('limit_req_log_level', 'notice'),
        ]),
    ...limited.map(({ zone, rate: { requests, per } }) =>
      directive('limit_req_zone', nginxText`$mcp_limit_key`, `zone=${zone}:1m`, `rate=${requests}r/${per}`),
    ),
    ...(shared
      ? [
          block(
            'map',
            [nginxText`$request_method:$http_access_control_request_method`, nginxText`$mcp_preflight`],
            [directive('default', ''), entry(nginxText`~^OPTIONS:.`, 1)],
          ),
        ]
      : []),
    ...services.flatMap(({ cors }, index) => (cors === null ? [] : [originMap(index, cors.origins)])),
    ...operationMaps(door),
  ];
}

function originMap(index: number, origins: readonly string[]): Directive {
  const any = origins.includes('*');
  return block(
    'map',
    [nginxText`$http_origin`, nginxText`$mcp_cors_${index}`],
    any
      ? [directive('default', '*'), directive('', '')]
      : [directive('default', ''), ...origins.map((origin) => entry(origin, origin))],
  );
}

/** Which door a service has, for plain mode's catch-all location. */
export function doorMap({ services }: FrontDoor): Directive[] {
  if (services.length === 0) return [];
  const doors = services.map(({ service, operations }, index) =>
    entry(service, operations.length === 0 ? doorPlace(service) : operationPlace(index, service)),
  );
  return [block('map', [nginxText`$mcp_service`, nginxText`$mcp_door`], [directive('default', ''), ...doors])];
}

/** Where the map gives what is behind the service's place, or that the request is refused. */
function operationPlace(index: number, service: string): NginxText {
  return { expression: `${nginxText`${doorPlace(service)}`.expression}${operationVariable(index).expression}` };
}

/** Names of the doors' variables, without `mcp_`: empty wherever no door sets them. */
export function doorVariables(door: FrontDoor): string[] {
  return [
    ...(door.services.length === 0 ? [] : ['cors', 'retry_after']),
    ...(door.services.length === 0 && !door.log ? [] : ['client', 'user']),
  ];
}

/** What a mode adds to a door. */
export interface DoorWays {
  /** Checks API keys, where this mode can; null: it can't, and then nobody gets in. */
  checkKeys: (() => Directive[]) | null;
  /** Leads to an instance. */
  toInstance: (door: Door, isStream: boolean) => Directive[];
  /** Services have a second door for what lasts. */
  streams: boolean;
}

export function doorLocations(door: FrontDoor, ways: DoorWays, answerHeaders: readonly Directive[]): Directive[] {
  return door.services.flatMap((one, index) => {
    const kinds = one.protocol === 'http' && ways.streams ? [false, true] : [false];
    return kinds.flatMap((isStream) => {
      const place = doorPlace(one.service, isStream);
      const headers = { answers: answerHeaders, told: proxyHeaders(door, isStream || !ways.streams) };
      return [
        ...doorsOf(one).map((own) =>
          exact(`${place}${own.part}`, [
            directive('internal'),
            ...doorBody(own, index, ways, headers),
            ...ways.toInstance(own, isStream),
          ]),
        ),
        ...(asksByOperation(one)
          ? [exact(`${place}${refusedPart}`, [directive('internal'), directive('return', refusedStatus)])]
          : []),
      ];
    });
  });
}

/** What the gateway says of its own with each answer, and what instances are told. */
interface DoorHeaders {
  answers: readonly Directive[];
  told: readonly Directive[];
}

function doorBody(door: Door, index: number, ways: DoorWays, { answers, told }: DoorHeaders): Directive[] {
  const { apiKeys, usersFile, clientCertificate, rate, zone, bodyBytes, cors, closed } = door;
  if (closed !== '' || (apiKeys !== null && ways.checkKeys === null)) return [directive('return', 501)];
  return [
    ...(bodyBytes === null ? [] : [directive('client_max_body_size', bodyBytes)]),
    ...(cors === null ? [] : corsParts(cors, index)),
    ...(rate === null ? [] : [directive('set', nginxText`$mcp_retry_after`, retryAfter(rate))]),
    ...(clientCertificate === 'required' ? [refuse(nginxText`$ssl_client_verify`, 'SUCCESS', 403)] : []),
    ...(ways.checkKeys === null ? [] : ways.checkKeys()),
    ...(rate === null || zone === null ? [] : [directive('limit_req', `zone=${zone}`, ...burstOf(rate))]),
    ...(usersFile === null
      ? []
      : [
          directive('set', nginxText`$mcp_user`, nginxText`$remote_user`),
          directive('auth_basic', door.service),
          directive('auth_basic_user_file', usersFile),
        ]),
    ...answers,
    ...(cors === null ? [] : corsAnswers(cors)),
    ...(door.protocol === 'grpc' ? [] : [...told, ...clientHeaders(door, 'proxy')]),
    ...(door.protocol === 'grpc' ? clientHeaders(door, 'grpc') : []),
  ];
}

function refuse(left: NginxText, wanted: string, status: number): Directive {
  return block('if', ['(', left, '!=', wanted, ')'], [directive('return', status)]);
}

/** Seconds until one more request is let through. */
function retryAfter({ requests, per }: NonNullable<Door['rate']>): number {
  return Math.max(1, Math.ceil((per === 's' ? 1 : 60) / requests));
}

/** nginx refuses a burst of 0. What may come at once is let through at once. */
function burstOf({ burst }: NonNullable<Door['rate']>): Argument[] {
  return burst === 0 ? [] : [`burst=${burst}`, 'nodelay'];
}

const allow = (name: string, value: Argument) => header(`Access-Control-${name}`, value);

/** The preflight's answer; other requests get theirs with what the instance says. */
function corsParts(cors: NonNullable<Door['cors']>, index: number): Directive[] {
  return [
    directive('set', nginxText`$mcp_cors`, nginxText`$mcp_cors_${index}`),
    block(
      'if',
      ['(', nginxText`$mcp_preflight`, ')'],
      [
        allow('Allow-Origin', nginxText`$mcp_cors`),
        allow('Allow-Methods', cors.methods.join(', ')),
        ...(cors.headers.length > 0 ? [allow('Allow-Headers', cors.headers.join(', '))] : []),
        ...(cors.credentials ? [allow('Allow-Credentials', 'true')] : []),
        allow('Max-Age', Math.floor(cors.maxAgeMs / 1000)),
        header('Vary', 'Origin'),
        header('X-Request-Id', nginxText`$mcp_request_id`),
        directive('return', 204),
      ],
    ),
  ];
}

function corsAnswers({ credentials, expose }: NonNullable<Door['cors']>): Directive[] {
  const theirs = ['Allow-Origin', 'Allow-Credentials', 'Expose-Headers'].map((name) => `Access-Control-${name}`);
  return [
    allow('Allow-Origin', nginxText`$mcp_cors`),
    ...(credentials ? [allow('Allow-Credentials', 'true')] : []),
    ...(expose.length > 0 ? [allow('Expose-Headers', expose.join(', '))] : []),
    header('Vary', 'Origin'),
    // Two of them would be none, for a browser. The rest as everywhere, since a location that hides one inherits nothing.
    ...[...theirs, 'X-MCP-Generation', 'X-Request-Id'].map((name) => directive('proxy_hide_header', name)),
  ];
}

/** Who the caller is, for the service: by the gateway's word alone. Credentials end here. */
function clientHeaders({ apiKeys, usersFile, clientCertificate }: DoorRules, protocol: 'proxy' | 'grpc'): Directive[] {
  const set = (name: string, value: Argument) => directive(`${protocol}_set_header`, name, value);
  return [
    set('X-MCP-Client', usersFile !== null ? nginxText`$remote_user` : apiKeys ? nginxText`$mcp_client` : ''),
    set('X-MCP-Client-Subject', clientCertificate === null ? '' : nginxText`$ssl_client_s_dn`),
    ...(apiKeys === null ? [] : [set(apiKeys.header, '')]),
    ...(usersFile === null ? [] : [set('Authorization', '')]),
  ];
}

/** At services without a door of their own nobody is told who calls, least of all by the caller. */
export function strippedHeaders(door: FrontDoor, protocol: 'proxy' | 'grpc'): Directive[] {
  if (!knowsClients(door)) return [];
  return ['X-MCP-Client', 'X-MCP-Client-Subject'].map((name) => directive(`${protocol}_set_header`, name, ''));
}
