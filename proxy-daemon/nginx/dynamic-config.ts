/**
 * The nginx configuration of dynamic mode: the same whatever is registered. Services are data in shared dicts, which the
 * Lua code in lua/ reads at each request and the daemon writes over a unix socket. Pure.
 */
import { endpointOf } from '../routes/route-table.ts';
import { block, type Directive, directive, nginxText } from './emit.ts';
import { basics, mainParts, type NginxSettings, proxyDefaults, requestMaps, workerConnections } from './http-parts.ts';
import { header, type ModeLocations, serverLocations } from './server-locations.ts';

export interface DynamicSettings extends NginxSettings {
  /** What the Lua module is loaded by. */
  modules: Directive[];
  adminSocket: string;
  /** Room for the route tables, bytes. 10,000 services with 10 instances each take some 20 MB. */
  tableBytes: number;
}

/** Room for counters by version: 10,000 versions with all of their counters take some 20 MB. */
const figureBytes = 32 * 1024 * 1024;
/** One counter of requests in flight: a key of up to 110 bytes in nginx's slab memory. */
const inFlightBytes = 256;

export function makeDynamicConfig(settings: DynamicSettings): Directive[] {
  const { paths, modules } = settings;
  return [
    ...modules,
    ...mainParts(settings),
    block(
      'http',
      [],
      [
        ...basics(paths.temp),
        ...proxyDefaults(),
        ...requestMaps(),
        ...luaParts(settings),
        upstream(settings),
        block('server', [], gatewayServer(settings)),
        block('server', [], adminServer(settings)),
      ],
    ),
  ];
}

function luaParts({ paths, workers, tableBytes }: DynamicSettings): Directive[] {
  const dict = (name: string, bytes: number) => directive('lua_shared_dict', name, Math.ceil(bytes));
  return [
    dict('mcp_routes', tableBytes),
    dict('mcp_figures', figureBytes),
    // Twice the workers, since old ones live on for a while after a reload; it must never be full.
    dict('mcp_in_flight', (2 * workers + 1) * workerConnections * inFlightBytes),
    dict('mcp_down', 1024 * 1024),
    dict('mcp_workers', 64 * 1024),
    directive('lua_package_path', `${paths.lua}/?.lua;;`),
    directive('init_by_lua_file', phase(paths.lua, 'init')),
    directive('init_worker_by_lua_file', phase(paths.lua, 'init-worker')),
  ];
}

function phase(lua: string, name: string): string {
  return `${lua}/phases/${name}.lua`;
}

function upstream({ paths }: DynamicSettings): Directive {
  return block(
    'upstream',
    ['mcp_instance'],
    [
      // nginx wants one; the balancer chooses another for each try.
      directive('server', '0.0.0.1:1'),
      directive('balancer_by_lua_file', phase(paths.lua, 'balancer')),
      directive('keepalive', 512),
      // Shorter than the 5 s after which a Node server closes an idle connection: whoever waits longer gets resets.
      directive('keepalive_timeout', '4s'),
      directive('keepalive_requests', 100_000),
    ],
  );
}

function gatewayServer(settings: DynamicSettings): Directive[] {
  const { listen, paths } = settings;
  return [
    directive('listen', endpointOf(listen)),
    directive('server_name', '_'),
    ...['generation', 'document', 'ticket', 'service', 'prefix', 'rest'].map((name) =>
      directive('set', nginxText`$mcp_${name}`, ''),
    ),
    // Of the server, so that it holds wherever a request ends.
    directive('log_by_lua_file', phase(paths.lua, 'log')),
    ...serverLocations(paths, dynamicLocations(settings)),
  ];
}

function dynamicLocations({ paths }: DynamicSettings): ModeLocations {
  const variable = (name: string) => directive('set_by_lua_file', nginxText`$mcp_${name}`, phase(paths.lua, name));
  return {
    prelude: [variable('generation')],
    generation: nginxText`$mcp_generation`,
    document: (file) => [
      variable('document'),
      directive('alias', nginxText`${paths.generations}/$mcp_document/${file}`),
    ],
    notFound: [directive('content_by_lua_file', phase(paths.lua, 'not-found'))],
    proxied: [
      block(
        'location',
        ['/'],
        [directive('rewrite_by_lua_file', phase(paths.lua, 'rewrite')), ...toInstance('proxy_pass')],
      ),
      // Services that declare all of their operations idempotent: also a POST that was sent is tried again elsewhere.
      block(
        'location',
        ['@any-method'],
        [directive('proxy_next_upstream', 'error', 'timeout', 'non_idempotent'), ...toInstance('proxy_pass')],
      ),
    ],
  };
}

function toInstance(how: 'proxy_pass'): Directive[] {
  return [
    // Alone here, so that what a backend answers is not marked as the gateway's own.
    header('X-Request-Id', nginxText`$mcp_request_id`),
    directive(how, nginxText`http://mcp_instance$mcp_rest`),
  ];
}

function adminServer({ adminSocket, paths }: DynamicSettings): Directive[] {
  return [
    directive('listen', `unix:${adminSocket}`),
    directive('client_max_body_size', '1g'),
    directive('client_body_buffer_size', '1m'),
    directive('default_type', 'text/plain'),
    block('location', ['/'], [directive('content_by_lua_file', phase(paths.lua, 'admin'))]),
  ];
}
