import { isObject, type JsonObject, objectAt } from './json.ts';

/**
 * Where a service's paths are at the gateway: its route, then the path of its own server, then the path. Pure.
 */

/**
 * The path part of the servers that are in force, without a trailing slash: the operation's, else the path item's, else the
 * document's. The first server counts.
 *
 * A relative server is relative to the instance, so it counts in full. An absolute one names a public address; where that
 * already begins with the service's route at this gateway, the route is not repeated.
 */
export function serverBase(route: string, ...levels: readonly JsonObject[]): string {
  for (const level of levels) {
    const server = Array.isArray(level.servers) ? level.servers[0] : undefined;
    if (isObject(server) && typeof server.url === 'string') return basePath(fillIn(server.url, server), route);
  }
  return '';
}

/** `route` and `path` joined with exactly one slash between them. */
export function gatewayPath(route: string, base: string, path: string): string {
  const prefix = (route === '/' ? '' : route.replace(/\/+$/, '')) + base;
  return prefix + (path.startsWith('/') ? path : `/${path}`);
}

/** The longest other route that lies inside `route` and takes the requests for this path, or undefined. */
export function takenBy(path: string, nested: readonly string[]): string | undefined {
  return nested
    .filter((route) => path === route || path.startsWith(`${route}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Of all routes, which are sorted and differ, those that lie inside the given one. */
export function nestedRoutes(route: string, sorted: readonly string[]): string[] {
  const prefix = route === '/' ? '/' : `${route}/`;
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? '') < prefix) low = middle + 1;
    else high = middle;
  }
  const nested: string[] = [];
  for (let index = low; sorted[index]?.startsWith(prefix); index += 1) {
    const other = sorted[index];
    if (other !== undefined && other !== route) nested.push(other);
  }
  return nested;
}

function fillIn(url: string, server: JsonObject): string {
  const variables = objectAt(server, 'variables');
  return url.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const value = objectAt(variables, name).default;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  });
}

function basePath(url: string, route: string): string {
  const absolute = /^([a-z][a-z0-9+.-]*:)?\/\//i.test(url);
  const path = (URL.parse(url, 'http://instance/')?.pathname ?? '/').replace(/\/+$/, '');
  if (!absolute || route === '/') return path;
  return path === route || path.startsWith(`${route}/`) ? path.slice(route.length) : path;
}
