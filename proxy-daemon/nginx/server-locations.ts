/** What the gateway answers itself, what it proxies, and how it words its errors. Pure. */
import { documentLocations } from './document-locations.ts';
import type { Argument, Directive, NginxText } from './emit.ts';
import { block, directive, nginxText } from './emit.ts';
import { exact, gzipTypes, header } from './location-parts.ts';
import { type GatewayPaths, generationMark } from './paths.ts';

/** A page may load from the gateway alone. Swagger UI styles itself inline and draws icons from data: URLs. */
const pagePolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

/** What a mode answers in its own way. */
export interface ModeLocations {
  /** To be said in each of the gateway's own locations before anything else. */
  prelude: Directive[];
  /** The generation that is served. */
  generation: Argument;
  notFound: Directive[];
  /** The locations that lead to the services. */
  proxied: Directive[];
}

/** A generation is a configuration of its own, so all of it is literal. */
export function plainLocations(paths: GatewayPaths): ModeLocations {
  const { notFound } = paths.generation(generationMark);
  return {
    prelude: [],
    generation: generationMark,
    notFound: [directive('alias', notFound)],
    proxied: [block('location', ['/'], proxied())],
  };
}

/** `gzipStatic`: see NginxSettings. */
export function serverLocations(paths: GatewayPaths, gzipStatic: boolean, mode: ModeLocations): Directive[] {
  const ownHeaders = [
    ...mode.prelude,
    header('X-MCP-Generation', mode.generation),
    header('X-Request-Id', nginxText`$mcp_request_id`),
    header('X-Content-Type-Options', 'nosniff'),
  ];
  const page = [...ownHeaders, header('Content-Security-Policy', pagePolicy), directive('gzip', 'on'), gzipTypes];
  return [
    ...ownHeaders.filter((one) => !mode.prelude.includes(one)),
    directive('error_page', 404, '/_mcp/not-found'),
    ...gatewayErrors.map(({ status }) => directive('error_page', status, `@mcp_${status}`)),
    exact('/healthz', [
      ...mode.prelude,
      directive('default_type', 'application/json'),
      directive('return', 200, healthAnswer(mode.generation)),
    ]),
    ...documentLocations(paths, gzipStatic, ownHeaders, page),
    exact('/status', [
      ...page,
      header('Cache-Control', 'no-cache'),
      directive('default_type', 'text/html'),
      directive('alias', `${paths.www}/status/index.html`),
    ]),
    exact('/status/', [...mode.prelude, directive('return', 308, '/status')]),
    block('location', ['^~', '/status/'], [...page, directive('alias', `${paths.www}/status/`)]),
    exact('/status.json', [...ownHeaders, header('Cache-Control', 'no-store'), directive('alias', paths.statusJson)]),
    exact('/_mcp/not-found', [
      ...mode.prelude,
      directive('internal'),
      block('types', [], []),
      directive('default_type', 'application/json'),
      ...mode.notFound,
    ]),
    ...gatewayErrors.map((error) => errorLocation(error, mode.prelude)),
    ...mode.proxied,
  ];
}

function proxied(): Directive[] {
  const refuse = (left: NginxText, operator: '=' | '!=', right: Argument, status: number) =>
    block('if', ['(', left, operator, right, ')'], [directive('return', status)]);
  return [
    // Alone here, so that what a backend answers is not marked as the gateway's own.
    header('X-Request-Id', nginxText`$mcp_request_id`),
    refuse(nginxText`$mcp_odd_path`, '!=', '', 400),
    refuse(nginxText`$mcp_service`, '=', '', 404),
    // Maps compare without case; routes don't.
    refuse(nginxText`$mcp_key`, '!=', nginxText`$mcp_prefix`, 404),
    refuse(nginxText`$mcp_rest`, '=', '', 400),
    refuse(nginxText`$mcp_upstream`, '=', '', 503),
    directive('proxy_pass', nginxText`http://$mcp_upstream$mcp_rest`),
  ];
}

function healthAnswer(generation: Argument): Argument {
  return typeof generation === 'object'
    ? { expression: `{"status":"ok","generation":${generation.expression}}` }
    : `{"status":"ok","generation":${generation}}`;
}

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
  { status: 413, code: 'BODY_TOO_LARGE', message: 'The request body is too large', hint: 'Send at most 16 MB.' },
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

function errorLocation({ status, code, message, hint }: GatewayError, prelude: Directive[]): Directive {
  const body = JSON.stringify({ code, message, service: 'SERVICE', hint, requestId: 'REQUEST' });
  const [before = '', middle = '', after = ''] = body.split(/"SERVICE"|"REQUEST"/);
  return block(
    'location',
    [`@mcp_${status}`],
    [
      ...prelude,
      directive('default_type', 'application/json'),
      directive('return', status, nginxText`{"error":${before}"$mcp_service"${middle}"$mcp_request_id"${after}}`),
    ],
  );
}
