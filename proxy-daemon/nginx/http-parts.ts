/** What both modes' configurations have in common. Pure. */
import type { FrontDoor } from '../front-door/front-door.ts';
import type { Argument, Directive, NginxText } from './emit.ts';
import { block, directive, entry, nginxText } from './emit.ts';
import type { GatewayPaths } from './paths.ts';

export interface NginxSettings {
  listen: { address: string; port: number };
  paths: GatewayPaths;
  /** User of the worker processes; null: the one that starts nginx. */
  user: string | null;
  workers: number;
  /** Old workers are ended this long after a reload even if requests are in flight, ms. */
  shutdownTimeoutMs: number;
  /** Whether this nginx can serve files that are compressed already. */
  gzipStatic: boolean;
}

/** Everything outside the http block. */
export function mainParts(settings: NginxSettings): Directive[] {
  const { paths, user, workers } = settings;
  return [
    ...(user === null ? [] : [directive('user', user)]),
    directive('worker_processes', workers),
    directive('worker_rlimit_nofile', 16_384),
    directive('worker_shutdown_timeout', `${Math.ceil(settings.shutdownTimeoutMs)}ms`),
    directive('daemon', 'on'),
    directive('pid', paths.pid),
    directive('error_log', paths.errorLog, 'warn'),
    block('events', [], [directive('worker_connections', workerConnections)]),
  ];
}

/** The most connections of a worker, those to instances among them: no more requests are ever in flight in it. */
export const workerConnections = 4096;

export function basics(temp: string, bodyBytes: number): Directive[] {
  return [
    block(
      'types',
      [],
      [
        directive('text/html', 'html'),
        directive('text/css', 'css'),
        directive('application/javascript', 'js'),
        directive('application/json', 'json', 'map'),
        directive('application/yaml', 'yaml'),
        directive('image/png', 'png'),
      ],
    ),
    directive('default_type', 'application/octet-stream'),
    directive('charset', 'utf-8'),
    directive('charset_types', 'text/css', 'application/javascript', 'application/yaml'),
    directive('server_tokens', 'off'),
    directive('absolute_redirect', 'off'),
    directive('merge_slashes', 'off'),
    directive('sendfile', 'on'),
    directive('tcp_nopush', 'on'),
    directive('keepalive_timeout', '75s'),
    directive('keepalive_requests', 100_000),
    directive('client_max_body_size', bodyBytes),
    directive('client_header_timeout', '15s'),
    directive('client_body_temp_path', `${temp}/body`),
    directive('proxy_temp_path', `${temp}/proxy`),
    directive('fastcgi_temp_path', `${temp}/fastcgi`),
    directive('uwsgi_temp_path', `${temp}/uwsgi`),
    directive('scgi_temp_path', `${temp}/scgi`),
  ];
}

/** `canUpgrade`: see proxyHeaders. */
export function proxyDefaults(door: ClientRules, canUpgrade: boolean): Directive[] {
  return [
    directive('proxy_http_version', '1.1'),
    directive('proxy_connect_timeout', '2s'),
    directive('proxy_read_timeout', '60s'),
    directive('proxy_send_timeout', '60s'),
    // Without `non_idempotent` a POST is tried elsewhere only if it was not sent at all.
    directive('proxy_next_upstream', 'error', 'timeout'),
    directive('proxy_next_upstream_timeout', '10s'),
    // Or an instance could send its caller on to any place inside the gateway, around doors and past what is counted.
    directive('proxy_ignore_headers', 'X-Accel-Redirect'),
    directive('proxy_hide_header', 'X-MCP-Generation'),
    directive('proxy_hide_header', 'X-Request-Id'),
    ...proxyHeaders(door, canUpgrade),
  ];
}

type ClientRules = Pick<FrontDoor, 'trustedProxies'>;

/**
 * What instances are told. A location that sets one more must set all of them. `canUpgrade`: where a request may ask for a WebSocket;
 * elsewhere that need not be looked at.
 */
export function proxyHeaders({ trustedProxies }: ClientRules, canUpgrade: boolean): Directive[] {
  const header = (name: string, value: Argument) => directive('proxy_set_header', name, value);
  return [
    header('Host', nginxText`$http_host`),
    header('Connection', canUpgrade ? nginxText`$mcp_connection` : ''),
    header('Upgrade', canUpgrade ? nginxText`$http_upgrade` : ''),
    // nginx's own does the same without a map, but ends with the client where that is not who asked.
    header(
      'X-Forwarded-For',
      trustedProxies.length === 0 ? nginxText`$proxy_add_x_forwarded_for` : nginxText`$mcp_forwarded_for`,
    ),
    header('X-Forwarded-Proto', nginxText`$scheme`),
    header('X-Forwarded-Host', nginxText`$http_host`),
    header('X-Forwarded-Prefix', nginxText`$mcp_prefix`),
    header('X-Request-Id', nginxText`$mcp_request_id`),
  ];
}

/** Who the client is, where trusted proxies say so: then all that asks for its address gets what they say. */
export function clientParts({ trustedProxies }: ClientRules): Directive[] {
  if (trustedProxies.length === 0) return [forwardedFor(nginxText`$remote_addr`)];
  return [
    ...trustedProxies.map((network) => directive('set_real_ip_from', network)),
    directive('real_ip_header', 'X-Forwarded-For'),
    // The last one that is no trusted proxy itself: what is before it, a client may have written.
    directive('real_ip_recursive', 'on'),
    forwardedFor(nginxText`$realip_remote_addr`),
  ];
}

/** What instances are told: the addresses that the request came by, with that of whoever asked the gateway at the end. */
function forwardedFor(asker: NginxText): Directive {
  return block(
    'map',
    [nginxText`$http_x_forwarded_for`, nginxText`$mcp_forwarded_for`],
    [directive('default', { expression: `$http_x_forwarded_for, ${asker.expression}` }), directive('', asker)],
  );
}

export function requestMaps(): Directive[] {
  return [
    block(
      'map',
      [nginxText`$http_upgrade`, nginxText`$mcp_connection`],
      [directive('default', 'upgrade'), directive('', '')],
    ),
    block(
      'map',
      [nginxText`$http_x_request_id`, nginxText`$mcp_request_id`],
      [
        directive('default', nginxText`$request_id`),
        entry(nginxText`~^[A-Za-z0-9._-]{1,64}$`, nginxText`$http_x_request_id`),
      ],
    ),
    // Dot segments, plain or encoded: what nginx matched is then not what the backend would be sent.
    block(
      'map',
      [nginxText`$request_uri`, nginxText`$mcp_odd_path`],
      [directive('default', ''), entry(nginxText`~*^[^?]*(?:/|%2f)(?:\.|%2e){1,2}(?:/|%2f|\?|$)`, 1)],
    ),
  ];
}
