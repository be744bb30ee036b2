/**
 * The maps that lead from a request's path to its service, upstream and the path the backend sees. Pure.
 *
 * For each depth there is (routes of one segment, of two, ...) one map takes that many segments off the path, and one hash
 * map looks them up, falling back to the next shorter depth: so the longest prefix wins. What follows from the service is
 * what holds for most of them, and a map of the others: a configuration is as long as it must be.
 */
import type { Route } from '../routes/route-table.ts';
import type { Directive, NginxText } from './emit.ts';
import { block, directive, entry, lasting, nginxText } from './emit.ts';

export function routeMaps(routes: readonly Route[], isLive: (route: Route) => boolean): Directive[] {
  const routesOf = Map.groupBy(routes, depthOf);
  const depths = [...new Set([0, ...routesOf.keys()])].sort((a, b) => a - b);
  const deepest = depths.at(-1) ?? 0;
  const usual = depths.reduce((most, depth) => (countOf(routesOf, depth) > countOf(routesOf, most) ? depth : most), 0);
  const unusual = depths.flatMap((depth) => (depth === usual ? [] : (routesOf.get(depth) ?? [])));
  return [
    ...depths.flatMap((depth) => [keyMap(depth), restMap(depth)]),
    ...depths.map((depth, index) => serviceMap(depth, depths[index - 1] ?? null, routesOf.get(depth) ?? [])),
    block(
      'map',
      [nginxText`$mcp_service_${deepest}`, nginxText`$mcp_service`],
      [directive('default', nginxText`$mcp_service_${deepest}`)],
    ),
    perService(
      'mcp_upstream',
      nginxText`${upstreamName('')}$mcp_service`,
      routes.filter((route) => !isLive(route)),
      () => '',
    ),
    perService(
      'mcp_prefix',
      nginxText`/$mcp_service`,
      routes.filter((route) => route.prefix !== `/${route.service}`),
      prefixOf,
    ),
    perService('mcp_key', keyAt(usual), unusual, (route) => keyAt(depthOf(route))),
    perService('mcp_rest', restAt(usual), unusual, (route) => restAt(depthOf(route))),
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

function depthOf({ prefix }: Route): number {
  if (prefix === '/') return 0;
  let depth = 0;
  for (let at = prefix.indexOf('/'); at >= 0; at = prefix.indexOf('/', at + 1)) depth += 1;
  return depth;
}

function countOf(routesOf: ReadonlyMap<number, readonly Route[]>, depth: number): number {
  return routesOf.get(depth)?.length ?? 0;
}

function keyAt(depth: number): NginxText {
  return nginxText`$mcp_key_${depth}`;
}

function restAt(depth: number): NginxText {
  return nginxText`$mcp_rest_${depth}`;
}

/** `$mcp_key_2`: the first two segments of the decoded path, `/a/b`. */
function keyMap(depth: number): Directive {
  const found = nginxText`~^(?<mcp_k${depth}>(?:/[^/]+){${depth}})(?:/|$)`;
  return block(
    'map',
    [nginxText`$uri`, keyAt(depth)],
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
    [nginxText`$request_uri`, restAt(depth)],
    [
      directive('default', ''),
      entry(nginxText`~^(?:/[A-Za-z0-9._~-]+){${depth}}(?<mcp_r${depth}>/.*)$`, nginxText`$mcp_r${depth}`),
      entry(nginxText`~^(?:/[A-Za-z0-9._~-]+){${depth}}(?<mcp_q${depth}>\?.*)?$`, nginxText`/$mcp_q${depth}`),
    ],
  );
}

const serviceEntry = lasting((route: Route) => [entry(prefixOf(route), route.service)]);

/** `own`: the routes of this depth. */
function serviceMap(depth: number, shorter: number | null, own: readonly Route[]): Directive {
  if (depth === 0) {
    const root = own[0]?.service ?? '';
    return block('map', [nginxText`$mcp_key_0`, nginxText`$mcp_service_0`], [directive('default', root)]);
  }
  return block(
    'map',
    [keyAt(depth), nginxText`$mcp_service_${depth}`],
    [directive('default', shorter === null ? '' : nginxText`$mcp_service_${shorter}`), ...own.flatMap(serviceEntry)],
  );
}

/** Only looked at for a service that there is: `usual` is told of those that are not among `others`. */
function perService(
  variable: string,
  usual: NginxText,
  others: readonly Route[],
  value: (route: Route) => string | NginxText,
): Directive {
  return block(
    'map',
    [nginxText`$mcp_service`, nginxText`$${variable}`],
    [directive('default', usual), ...others.map((route) => entry(route.service, value(route)))],
  );
}

/** Room for so many routes, without nginx's search for a hash size becoming long. Must stand before the first map. */
export function hashSizes(routes: number): Directive[] {
  return [
    directive('map_hash_bucket_size', 512),
    directive('map_hash_max_size', 2 ** Math.ceil(Math.log2(Math.max(2048, routes * 4)))),
  ];
}
