/**
 * The maps that lead from a request's path to its service, upstream and the path the backend sees. Pure.
 *
 * For each depth there is (routes of one segment, of two, ...) one map takes that many segments off the path, and one hash
 * map looks them up, falling back to the next shorter depth: so the longest prefix wins.
 */
import type { Route } from '../routes/route-table.ts';
import type { Directive } from './emit.ts';
import { block, directive, entry, nginxText } from './emit.ts';

export function routeMaps(routes: readonly Route[], live: ReadonlySet<string>): Directive[] {
  const depths = [...new Set([0, ...routes.map(depthOf)])].sort((a, b) => a - b);
  const deepest = depths.at(-1) ?? 0;
  return [
    ...depths.flatMap((depth) => [keyMap(depth), restMap(depth)]),
    ...depths.map((depth, index) => serviceMap(depth, depths[index - 1] ?? null, routes)),
    block(
      'map',
      [nginxText`$mcp_service_${deepest}`, nginxText`$mcp_service`],
      [directive('default', nginxText`$mcp_service_${deepest}`)],
    ),
    perService(
      'mcp_upstream',
      '',
      routes.filter(({ service }) => live.has(service)),
      ({ service }) => upstreamName(service),
    ),
    perService('mcp_prefix', '', routes, prefixOf),
    perService('mcp_key', '', routes, (route) => nginxText`$mcp_key_${depthOf(route)}`),
    perService('mcp_rest', '', routes, (route) => nginxText`$mcp_rest_${depthOf(route)}`),
  ];
}

/** Name of a service's upstream; service names are [a-z0-9-]. */
export function upstreamName(service: string): string {
  return `mcp_${service}`;
}

/** The prefix without a trailing slash: empty for `/`. */
function prefixOf(route: Route): string {
  return route.prefix === '/' ? '' : route.prefix;
}

function depthOf(route: Route): number {
  return prefixOf(route).split('/').length - 1;
}

/** `$mcp_key_2`: the first two segments of the decoded path, `/a/b`. */
function keyMap(depth: number): Directive {
  const found = nginxText`~^(?<mcp_k${depth}>(?:/[^/]+){${depth}})(?:/|$)`;
  return block(
    'map',
    [nginxText`$uri`, nginxText`$mcp_key_${depth}`],
    [directive('default', ''), ...(depth === 0 ? [] : [entry(found, nginxText`$mcp_k${depth}`)])],
  );
}

/**
 * `$mcp_rest_2`: what the client sent behind the first two segments, not decoded, with the query; `/` where there is
 * nothing. Taken from the raw request so that `%2F` in a parameter reaches the backend as it was sent. Empty where the
 * prefix itself was sent encoded.
 */
function restMap(depth: number): Directive {
  return block(
    'map',
    [nginxText`$request_uri`, nginxText`$mcp_rest_${depth}`],
    [
      directive('default', ''),
      entry(nginxText`~^(?:/[A-Za-z0-9._~-]+){${depth}}(?<mcp_r${depth}>/.*)$`, nginxText`$mcp_r${depth}`),
      entry(nginxText`~^(?:/[A-Za-z0-9._~-]+){${depth}}(?<mcp_q${depth}>\?.*)?$`, nginxText`/$mcp_q${depth}`),
    ],
  );
}

function serviceMap(depth: number, shorter: number | null, routes: readonly Route[]): Directive {
  const own = routes.filter((route) => depthOf(route) === depth);
  if (depth === 0) {
    const root = own[0]?.service ?? '';
    return block('map', [nginxText`$mcp_key_0`, nginxText`$mcp_service_0`], [directive('default', root)]);
  }
  return block(
    'map',
    [nginxText`$mcp_key_${depth}`, nginxText`$mcp_service_${depth}`],
    [
      directive('default', shorter === null ? '' : nginxText`$mcp_service_${shorter}`),
      ...own.map((route) => entry(prefixOf(route), route.service)),
    ],
  );
}

function perService(
  variable: string,
  otherwise: string,
  routes: readonly Route[],
  value: (route: Route) => string | { readonly expression: string },
): Directive {
  return block(
    'map',
    [nginxText`$mcp_service`, nginxText`$${variable}`],
    [directive('default', otherwise), ...routes.map((route) => entry(route.service, value(route)))],
  );
}

/** Room for so many routes, without nginx's search for a hash size becoming long. Must stand before the first map. */
export function hashSizes(routes: number): Directive[] {
  return [
    directive('map_hash_bucket_size', 512),
    directive('map_hash_max_size', 2 ** Math.ceil(Math.log2(Math.max(2048, routes * 4)))),
  ];
}
