/** What the gateway answers itself, what it proxies, and how it words its errors. Pure. */
import type { FrontDoor } from '../front-door/front-door.ts';
import { documentLocations } from './document-locations.ts';
import type { Argument, Directive, NginxText } from './emit.ts';
import { block, directive, nginxText } from './emit.ts';
import { explainLocations } from './explain-locations.ts';
import { exact, gzipTypes, header, refusedStatus } from './location-parts.ts';
import { type GatewayPaths, generationMark } from './paths.ts';
import { answerHeaders } from './security-headers.ts';
import { doorLocations, doorVariables } from './service-doors.ts';

/** A page may load from the gateway alone. Swagger UI styles itself inline and draws icons from data: URLs. */
const pagePolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

/** The status page styles nothing inline. */
const statusPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/** What a mode answers in its own way. */
export interface ModeLocations {
  /** Names of variables that it sets, without `mcp_`. */
  variables: string[];
  /** To be said in each of the gateway's own locations before anything else. */
  prelude: Directive[];
  /** The generation that is served. */
  generation: Argument;
  notFound: Directive[];
  /** Answers for the files of the merged document; null: they are whole files. */
  document: Directive[] | null;
  /** The locations that lead to the services. */
  proxied: Directive[];
}

/** A generation is a configuration of its own, so all of it is literal. */
export function plainLocations(paths: GatewayPaths, door: FrontDoor): ModeLocations {
  const { notFound } = paths.generation(generationMark);
  return {
    variables: [],
    prelude: [],
    generation: generationMark,
    notFound: [directive('alias', notFound)],
    document: null,
    proxied: [
      block('location', ['/'], proxied(door)),
      ...doorLocations(
        door,
        { checkKeys: null, streams: false, toInstance: () => [directive('proxy_pass', plainInstance)] },
        answerHeaders(door),
      ),
    ],
  };
}

const plainInstance = nginxText`http://$mcp_upstream$mcp_rest`;

/** `gzipStatic`: see NginxSettings. */
export function serverLocations(
  paths: GatewayPaths,
  gzipStatic: boolean,
  mode: ModeLocations,
  door: FrontDoor,
): Directive[] {
  const ownHeaders = [
    ...mode.prelude,
    header('X-MCP-Generation', mode.generation),
    header('X-Request-Id', nginxText`$mcp_request_id`),
    header('X-Content-Type-Options', 'nosniff'),
  ];
  const pageWith = (policy: string) => [
    ...ownHeaders,
    header('Content-Security-Policy', policy),
    directive('gzip', 'on'),
    gzipTypes,
  ];
  const statusHeaders = [...pageWith(statusPolicy), header('Cache-Control', 'no-cache')];
  const plainHeaders = ownHeaders.filter((one) => !mode.prelude.includes(one));
  const errors = door.services.length === 0 ? gatewayErrors : [...gatewayErrors, ...doorErrors];
  return [
    ...variables([...mode.variables, ...doorVariables(door)]),
    ...plainHeaders,
    directive('error_page', 404, '/_mcp/not-found'),
    ...errors.map(({ status }) =>
      status === 400
        ? directive('error_page', refusedStatus, '=400', '@mcp_400')
        : directive('error_page', status, `@mcp_${status}`),
    ),
    directive('error_page', 400, badRequest),
    exact('/healthz', [
      ...mode.prelude,
      directive('default_type', 'application/json'),
      directive('return', 200, healthAnswer(mode.generation)),
    ]),
    ...documentLocations(paths, gzipStatic, ownHeaders, pageWith(pagePolicy), mode.document),
    exact('/status', [...statusHeaders, directive('default_type', 'text/html'), directive('alias', paths.statusPage)]),
    exact('/status/', [...mode.prelude, directive('return', 308, '/status')]),
    ...explainLocations(ownHeaders),
    block('location', ['^~', '/status/'], [...statusHeaders, directive('alias', `${paths.www}/status/`)]),
    exact('/status.json', [...ownHeaders, header('Cache-Control', 'no-store'), directive('alias', paths.statusJson)]),
    exact('/_mcp/not-found', [
      ...mode.prelude,
      directive('internal'),
      block('types', [], []),
      directive('default_type', 'application/json'),
      ...mode.notFound,
    ]),
    ...errors.map((error) =>
      block(
        'location',
        [`@mcp_${error.status}`],
        errorAnswer(error, mode.prelude, errorHeaders(error, plainHeaders, door)),
      ),
    ),
    ...errors
      .filter(({ status }) => status === 400)
      .map((error) =>
        exact(badRequest, [
          directive('internal'),
          ...errorAnswer(error, mode.prelude, errorHeaders(error, plainHeaders, door)),
        ]),
      ),
    ...mode.proxied,
  ];
}

/**
 * Variables that a request may set. nginx wants each to be set somewhere in its configuration: here, where nothing ever comes. At the
 * head of the server all of them would be set to nothing for each request, and again when an error is worded elsewhere.
 */
function variables(names: readonly string[]): Directive[] {
  if (names.length === 0) return [];
  return [
    directive('uninitialized_variable_warn', 'off'),
    exact('/_mcp/variables', [
      directive('internal'),
      ...names.map((name) => directive('set', nginxText`$mcp_${name}`, '')),
      directive('return', 404),
    ]),
  ];
}

/** Said with errors where doors are; a location that says something itself inherits nothing. */
function errorHeaders({ status }: GatewayError, plainHeaders: Directive[], { services }: FrontDoor): Directive[] {
  const more = [
    ...(status === 429 ? [header('Retry-After', nginxText`$mcp_retry_after`)] : []),
    // Without it a page of another origin could not read what is wrong.
    ...(services.some(({ cors }) => cors !== null)
      ? [header('Access-Control-Allow-Origin', nginxText`$mcp_cors`), header('Vary', 'Origin')]
      : []),
  ];
  return more.length === 0 ? [] : [...plainHeaders, ...more];
}

function proxied(door: FrontDoor): Directive[] {
  const refuse = (left: NginxText, operator: '=' | '!=', right: Argument, status: number) =>
    block('if', ['(', left, operator, right, ')'], [directive('return', status)]);
  return [
    // Alone here, so that what a backend answers is not marked as the gateway's own.
    ...answerHeaders(door),
    refuse(nginxText`$mcp_odd_path`, '!=', '', refusedStatus),
    refuse(nginxText`$mcp_service`, '=', '', 404),
    // Maps compare without case; routes don't.
    refuse(nginxText`$mcp_key`, '!=', nginxText`$mcp_prefix`, 404),
    refuse(nginxText`$mcp_rest`, '=', '', refusedStatus),
    refuse(nginxText`$mcp_upstream`, '=', '', 503),
    ...(door.services.length === 0
      ? []
      : [block('if', ['(', nginxText`$mcp_door`, ')'], [directive('rewrite', '^', nginxText`$mcp_door`, 'last')])]),
    directive('proxy_pass', plainInstance),
  ];
}

function healthAnswer(generation: Argument): Argument {
  return typeof generation === 'object'
    ? { expression: `{"status":"ok","generation":${generation.expression}}` }
    : `{"status":"ok","generation":${generation}}`;
}

/** For requests that nginx can't read. Such a one may have no path, and without one nginx goes to no named location. */
const badRequest = '/_mcp/bad-request';

interface GatewayError {
  status: number;
  code: string;
  message: string;
  hint: string;
}

const gatewayErrors: GatewayError[] = [
  {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The gateway refused the request',
    hint: 'Send the path without dot segments, and the route without percent-encoding.',
  },
  { status: 413, code: 'BODY_TOO_LARGE', message: 'The request body is too large', hint: 'Send a smaller one.' },
  { status: 500, code: 'GATEWAY_ERROR', message: 'The gateway failed', hint: 'Look into its error log.' },
  {
    status: 502,
    code: 'BACKEND_UNREACHABLE',
    message: 'No instance of the service gave an answer',
    hint: 'Try again; see /status.',
  },
  {
    status: 503,
    code: 'NO_LIVE_INSTANCE',
    message: 'The service has no live instance',
    hint: 'See /status, or run: mcp why SERVICE',
  },
  { status: 504, code: 'BACKEND_TIMEOUT', message: 'The service did not answer in time', hint: 'See /status.' },
];

/** What only doors say. */
const doorErrors: GatewayError[] = [
  {
    status: 401,
    code: 'CREDENTIALS_NEEDED',
    message: 'The service needs credentials that the gateway knows',
    hint: 'Send an API key, or a user and password.',
  },
  {
    status: 403,
    code: 'CLIENT_CERTIFICATE_NEEDED',
    message: 'The service needs a client certificate',
    hint: 'Connect by HTTPS with a certificate that the gateway accepts.',
  },
  {
    status: 429,
    code: 'TOO_MANY_REQUESTS',
    message: 'More requests than this client may make',
    hint: 'Wait as Retry-After says.',
  },
  {
    status: 501,
    code: 'DOOR_CLOSED',
    message: 'The gateway can not check who may use the service, so nobody may',
    hint: 'See its alarm: mcp status.',
  },
];

function errorAnswer(
  { status, code, message, hint }: GatewayError,
  prelude: Directive[],
  headers: readonly Directive[],
): Directive[] {
  const body = JSON.stringify({ code, message, service: 'SERVICE', hint, requestId: 'REQUEST' });
  const [before = '', middle = '', after = ''] = body.split(/"SERVICE"|"REQUEST"/);
  return [
    ...prelude,
    ...headers,
    directive('default_type', 'application/json'),
    directive('return', status, nginxText`{"error":${before}"$mcp_service"${middle}"$mcp_request_id"${after}}`),
  ];
}
