/**
 * The nginx configuration of dynamic mode: the same whatever is registered. Services are data in shared dicts, which the
 * Lua code in lua/ reads at each request and the daemon writes over a unix socket. Pure.
 */

import { daemonSocketPath } from '../explain/daemon-socket.ts';
import type { FrontDoor } from '../front-door/front-door.ts';
import { endpointOf } from '../routes/route-table.ts';
import { accessLog } from './access-log.ts';
import { doorTable } from './door-table.ts';
import { block, type Directive, directive, luaCall, type NginxText, nginxText } from './emit.ts';
import { daemonUpstream } from './explain-locations.ts';
import {
  basics,
  clientParts,
  mainParts,
  type NginxSettings,
  proxyDefaults,
  proxyHeaders,
  requestMaps,
  workerConnections,
} from './http-parts.ts';
import { servers } from './listeners.ts';
import { sendingOn } from './location-parts.ts';
import type { GatewayPaths } from './paths.ts';
import { answerHeaders, securityMaps } from './security-headers.ts';
import { type ModeLocations, serverLocations } from './server-locations.ts';
import { type DoorWays, doorLocations, doorParts, strippedHeaders } from './service-doors.ts';

export interface DynamicSettings extends NginxSettings {
  /** What the Lua module is loaded by. */
  modules: Directive[];
  adminSocket: string;
  /** Where HTTP/2 without TLS is spoken, for gRPC; null: nowhere. */
  http2: { address: string; port: number } | null;
  /** Room for the route tables, bytes. 10,000 services with 10 instances each take some 20 MB. */
  tableBytes: number;
  door: FrontDoor;
}

/** Room for counters by version: 10,000 versions with all of their counters take some 20 MB. */
const figureBytes = 32 * 1024 * 1024;
/**
 * After so many requests a worker gives memory that it freed back to the system. All of its requests wait meanwhile, and the next ones
 * fetch the pages again: each 1,000, as is usual, makes the slowest of a hundred requests slower by a tenth.
 */
const requestsOfTrim = 100_000;
/** One counter of requests in flight: a key of up to 110 bytes in nginx's slab memory. */
const inFlightBytes = 256;
/** A dict for its lock alone (lua/mcp/routes.lua): the least that nginx gives one. */
const fenceBytes = 16 * 1024;

export function makeDynamicConfig(settings: DynamicSettings): Directive[] {
  const { paths, modules } = settings;
  return [
    ...modules,
    ...mainParts(settings),
    block(
      'http',
      [],
      [
        ...basics(paths.temp, settings.door.bodyBytes),
        ...(settings.door.log
          ? accessLog(settings.door, paths.accessLog, nginxText`$mcp_version`)
          : [directive('access_log', 'off')]),
        ...proxyDefaults(settings.door, false),
        ...strippedHeaders(settings.door, 'proxy'),
        ...requestMaps(),
        ...clientParts(settings.door),
        ...securityMaps(settings.door),
        ...doorParts(settings.door),
        ...luaParts(settings),
        daemonUpstream(daemonSocketPath(paths.dir)),
        upstream(httpUpstream),
        upstream(grpcUpstream),
        ...servers({ address: settings.listen.address, open: openPorts(settings), door: settings.door }, (sendOnTo) =>
          gatewayServer(settings, sendOnTo),
        ),
        block('server', [], adminServer(settings)),
      ],
    ),
  ];
}

function luaParts({ paths, workers, tableBytes, door }: DynamicSettings): Directive[] {
  const table = doorTable(door);
  const dict = (name: string, bytes: number) => directive('lua_shared_dict', name, Math.ceil(bytes));
  return [
    dict('mcp_routes', tableBytes),
    dict('mcp_figures', figureBytes),
    // Twice the workers, since old ones live on for a while after a reload; it must never be full.
    dict('mcp_in_flight', (2 * workers + 1) * workerConnections * inFlightBytes),
    dict('mcp_down', 1024 * 1024),
    dict('mcp_workers', 64 * 1024),
    ...Array.from({ length: workers }, (_, worker) => dict(`mcp_fence_${worker}`, fenceBytes)),
    directive('lua_package_path', `${paths.lua}/?.lua;;`),
    directive('lua_malloc_trim', requestsOfTrim),
    table === null
      ? directive('init_by_lua_file', phase(paths.lua, 'init'))
      : directive('init_by_lua', `require('mcp.doors').open('${table.name}') require('phases.init')`),
    directive('init_worker_by_lua_file', phase(paths.lua, 'init-worker')),
  ];
}

function phase(lua: string, name: string): string {
  return `${lua}/phases/${name}.lua`;
}

/** Two, since nginx keeps connections by upstream, whatever is spoken on them. */
const httpUpstream = 'mcp_http';
const grpcUpstream = 'mcp_grpc';

function upstream(name: string): Directive {
  return block(
    'upstream',
    [name],
    [
      // nginx wants one; the balancer chooses another for each try.
      directive('server', '0.0.0.1:1'),
      luaCall('balancer_by_lua_block', 'mcp_at_balancer'),
      directive('keepalive', 512),
      // Shorter than the 5 s after which a Node server closes an idle connection: whoever waits longer gets resets.
      directive('keepalive_timeout', '4s'),
      directive('keepalive_requests', 100_000),
    ],
  );
}

function openPorts({ listen, http2 }: DynamicSettings): Directive[] {
  return [
    directive('listen', endpointOf(listen)),
    // Without TLS a port speaks either HTTP/1 or HTTP/2 (until nginx 1.25.1).
    ...(http2 === null ? [] : [directive('listen', endpointOf(http2), 'http2')]),
  ];
}

function gatewayServer(settings: DynamicSettings, sendOnTo: NginxText | null): Directive[] {
  const { paths } = settings;
  const mode = dynamicLocations(settings);
  return [
    // Of the server, so that it holds wherever a request ends.
    luaCall('log_by_lua_block', 'mcp_at_log'),
    ...serverLocations(
      paths,
      settings.gzipStatic,
      sendOnTo === null ? mode : { ...mode, proxied: [sendingOn(sendOnTo)] },
      settings.door,
    ),
  ];
}

function dynamicLocations({ paths, door }: DynamicSettings): ModeLocations {
  const answers = answerHeaders(door);
  const variable = (name: string) => directive('set_by_lua_file', nginxText`$mcp_${name}`, phase(paths.lua, name));
  return {
    variables: ['generation', 'service', 'prefix', 'rest', ...(door.log ? ['version'] : [])],
    prelude: [variable('generation')],
    generation: nginxText`$mcp_generation`,
    notFound: [directive('content_by_lua_file', phase(paths.lua, 'not-found'))],
    // Its length is told: nothing need be gathered for clients of HTTP/1.0.
    document: [
      directive('lua_http10_buffering', 'off'),
      directive('content_by_lua_file', phase(paths.lua, 'document')),
    ],
    proxied: [
      block('location', ['/'], [luaCall('rewrite_by_lua_block', 'mcp_at_rewrite'), ...answers, toInstance]),
      // Services that declare all of their operations idempotent: also a POST that was sent is tried again elsewhere.
      block('location', ['@any-method'], [anyMethod, ...answers, toInstance]),
      // GET of services with a mirror: some answers are also kept, to be compared with those to their copies.
      block('location', ['@mirrored'], [...keepAnswers(paths), ...answers, toInstance]),
      // WebSockets and event streams: what an instance sends is passed on at once.
      block(
        'location',
        ['@stream'],
        [
          directive('proxy_buffering', 'off'),
          ...proxyHeaders(door, true),
          ...strippedHeaders(door, 'proxy'),
          ...answers,
          toInstance,
        ],
      ),
      block('location', ['@grpc'], [...answers, ...toGrpcInstance(), ...strippedHeaders(door, 'grpc')]),
      ...doorLocations(door, doorWays(paths), answers),
    ],
  };
}

function keepAnswers(paths: GatewayPaths): Directive[] {
  return [
    directive('set', nginxText`$mcp_daemon`, `unix:${daemonSocketPath(paths.dir)}`),
    directive('body_filter_by_lua_file', phase(paths.lua, 'pass-answer')),
  ];
}

function doorWays(paths: GatewayPaths): DoorWays {
  return {
    streams: true,
    checkKeys: () => [directive('rewrite_by_lua_file', phase(paths.lua, 'door'))],
    toInstance: ({ protocol, retryNonIdempotent }, isStream) => {
      if (protocol === 'grpc') return toGrpcInstance();
      if (isStream) return [directive('proxy_buffering', 'off'), toInstance];
      return retryNonIdempotent ? [anyMethod, toInstance] : [toInstance];
    },
  };
}

/** In locations that say nothing of the gateway's own, so that what a backend answers is not marked as that. */
const toInstance = directive('proxy_pass', nginxText`http://${httpUpstream}$mcp_rest`);
const anyMethod = directive('proxy_next_upstream', 'error', 'timeout', 'non_idempotent');

function toGrpcInstance(): Directive[] {
  return [
    directive('grpc_set_header', 'X-Request-Id', nginxText`$mcp_request_id`),
    directive('grpc_set_header', 'X-Forwarded-For', nginxText`$mcp_forwarded_for`),
    directive('grpc_ignore_headers', 'X-Accel-Redirect'),
    directive('grpc_connect_timeout', '2s'),
    directive('grpc_next_upstream', 'error', 'timeout'),
    directive('grpc_pass', `grpc://${grpcUpstream}`),
  ];
}

function adminServer({ adminSocket, paths }: DynamicSettings): Directive[] {
  return [
    directive('listen', `unix:${adminSocket}`),
    directive('access_log', 'off'),
    directive('client_max_body_size', '1g'),
    directive('client_body_buffer_size', '1m'),
    directive('default_type', 'text/plain'),
    block('location', ['/'], [directive('content_by_lua_file', phase(paths.lua, 'admin'))]),
  ];
}
