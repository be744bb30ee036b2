/**
 * Services that declare something of the front door have a location of their own, which requests reach by their service, never by
 * a path: so whatever a path looks like, no service is reached around its door. Others pay nothing for it. Pure.
 */
import type { FrontDoor, ServiceDoor } from '../front-door/front-door.ts';
import { knowsClients } from '../front-door/front-door.ts';
import { type Argument, block, type Directive, directive, entry, type NginxText, nginxText } from './emit.ts';
import { proxyHeaders } from './http-parts.ts';
import { exact, header } from './location-parts.ts';

/** Where a service's door is; no route leads below /_mcp. */
export function doorPlace(service: string, isStream = false): string {
  return `/_mcp/door/${service}${isStream ? '/stream' : ''}`;
}

/** What the http block needs for it. */
export function doorParts({ services }: FrontDoor): Directive[] {
  const limited = services.filter(({ rate }) => rate !== null);
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
    ...limited.map(({ service, rate }) =>
      directive(
        'limit_req_zone',
        nginxText`$mcp_limit_key`,
        `zone=${zoneOf(service)}:1m`,
        `rate=${rate?.requests ?? 1}r/${rate?.per ?? 's'}`,
      ),
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
  const doors = services.map(({ service }) => entry(service, doorPlace(service)));
  return [block('map', [nginxText`$mcp_service`, nginxText`$mcp_door`], [directive('default', ''), ...doors])];
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
  checkKeys: ((door: ServiceDoor) => Directive[]) | null;
  /** Leads to an instance. */
  toInstance: (door: ServiceDoor, isStream: boolean) => Directive[];
  /** Services have a second door for what lasts. */
  streams: boolean;
}

export function doorLocations(door: FrontDoor, ways: DoorWays, answerHeaders: readonly Directive[]): Directive[] {
  return door.services.flatMap((one, index) => {
    const own = (isStream: boolean) =>
      exact(doorPlace(one.service, isStream), [
        directive('internal'),
        ...doorBody(one, index, ways, answerHeaders),
        ...ways.toInstance(one, isStream),
      ]);
    return one.protocol === 'http' && ways.streams ? [own(false), own(true)] : [own(false)];
  });
}

function doorBody(door: ServiceDoor, index: number, ways: DoorWays, answerHeaders: readonly Directive[]): Directive[] {
  const { apiKeys, usersFile, clientCertificate, rate, bodyBytes, cors, closed } = door;
  if (closed !== '' || (apiKeys !== null && ways.checkKeys === null)) return [directive('return', 501)];
  return [
    ...(bodyBytes === null ? [] : [directive('client_max_body_size', bodyBytes)]),
    ...(cors === null ? [] : corsParts(cors, index)),
    ...(rate === null ? [] : [directive('set', nginxText`$mcp_retry_after`, retryAfter(rate))]),
    ...(clientCertificate === 'required' ? [refuse(nginxText`$ssl_client_verify`, 'SUCCESS', 403)] : []),
    ...(ways.checkKeys === null ? [] : ways.checkKeys(door)),
    ...(rate === null ? [] : [directive('limit_req', `zone=${zoneOf(door.service)}`, ...burstOf(rate))]),
    ...(usersFile === null
      ? []
      : [
          directive('set', nginxText`$mcp_user`, nginxText`$remote_user`),
          directive('auth_basic', door.service),
          directive('auth_basic_user_file', usersFile),
        ]),
    ...answerHeaders,
    ...(cors === null ? [] : corsAnswers(cors)),
    ...(door.protocol === 'grpc' ? [] : [...proxyHeaders(), ...clientHeaders(door, 'proxy')]),
    ...(door.protocol === 'grpc' ? clientHeaders(door, 'grpc') : []),
  ];
}

function refuse(left: NginxText, wanted: string, status: number): Directive {
  return block('if', ['(', left, '!=', wanted, ')'], [directive('return', status)]);
}

/** Seconds until one more request is let through. */
function retryAfter({ requests, per }: NonNullable<ServiceDoor['rate']>): number {
  return Math.max(1, Math.ceil((per === 's' ? 1 : 60) / requests));
}

/** nginx refuses a burst of 0. What may come at once is let through at once. */
function burstOf({ burst }: NonNullable<ServiceDoor['rate']>): Argument[] {
  return burst === 0 ? [] : [`burst=${burst}`, 'nodelay'];
}

function zoneOf(service: string): string {
  return `mcp_limit_${service}`;
}

const allow = (name: string, value: Argument) => header(`Access-Control-${name}`, value);

/** The preflight's answer; other requests get theirs with what the instance says. */
function corsParts(cors: NonNullable<ServiceDoor['cors']>, index: number): Directive[] {
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

function corsAnswers({ credentials, expose }: NonNullable<ServiceDoor['cors']>): Directive[] {
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
function clientHeaders(
  { apiKeys, usersFile, clientCertificate }: ServiceDoor,
  protocol: 'proxy' | 'grpc',
): Directive[] {
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
