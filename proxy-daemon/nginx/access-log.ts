/**
 * One line of JSON a request. Nothing of it is a secret: no header of the request is in it but a sound request id, of the path
 * not the query, and of callers only the names that the gateway itself knows. Pure.
 */
import type { FrontDoor } from '../front-door/front-door.ts';
import { type Argument, block, type Directive, directive, entry, type NginxText, nginxText } from './emit.ts';

/** As many tries as a request may have. */
const mostRetries = 11;

export function accessLog({ log, tls }: FrontDoor, path: string, version: NginxText): Directive[] {
  if (!log) return [];
  const certificate = tls?.clientCa ? ',"certificate":"$ssl_client_s_dn"' : '';
  const line = [
    '{"time":"$time_iso8601","id":"$mcp_request_id","method":"$request_method","path":"$mcp_path"',
    `,"service":"$mcp_service","version":"${version.expression}","instance":"$mcp_instance","status":$status`,
    ',"bytes":$bytes_sent,"seconds":$request_time,"upstreamSeconds":$mcp_upstream_seconds,"retries":$mcp_retries',
    `,"client":"$mcp_log_client","address":"$remote_addr"${certificate}}`,
  ].join('');
  return [
    map('request_uri', 'mcp_path', '', [entry(nginxText`~^(?<mcp_whole_path>[^?]*)`, nginxText`$mcp_whole_path`)]),
    map('upstream_addr', 'mcp_instance', '', [
      entry(nginxText`~(?<mcp_last_instance>[^ ,]+)$`, nginxText`$mcp_last_instance`),
    ]),
    map('upstream_response_time', 'mcp_upstream_seconds', 'null', [
      entry(nginxText`~(?<mcp_last_seconds>[0-9.]+)$`, nginxText`$mcp_last_seconds`),
    ]),
    map(
      'upstream_addr',
      'mcp_retries',
      '0',
      Array.from({ length: mostRetries }, (_, tries) => entry(nginxText`~^[^,]+(?:,[^,]+){${tries}}$`, tries)),
    ),
    // A name that was refused may be a password in the wrong place.
    map('status', 'mcp_checked_user', nginxText`$mcp_user`, [directive('401', '')]),
    map('mcp_client', 'mcp_log_client', nginxText`$mcp_client`, [directive('', nginxText`$mcp_checked_user`)]),
    directive('log_format', 'mcp', 'escape=json', { expression: line }),
    directive('access_log', path, 'mcp', 'buffer=32k', 'flush=1s'),
  ];
}

function map(from: string, to: string, otherwise: Argument, entries: Directive[]): Directive {
  return block('map', [nginxText`$${from}`, nginxText`$${to}`], [directive('default', otherwise), ...entries]);
}

/** Of an instance's version, where nginx knows no versions: by service and address. */
export function versionMap(
  { log }: FrontDoor,
  instances: readonly { service: string; endpoint: string; version: string }[],
): Directive[] {
  if (!log) return [];
  const entries = new Map(instances.map((one) => [`${one.service} ${one.endpoint}`, one.version]));
  return [
    block(
      'map',
      [nginxText`$mcp_service $mcp_instance`, nginxText`$mcp_version`],
      [directive('default', ''), ...[...entries].map(([key, version]) => entry(key, version))],
    ),
  ];
}
