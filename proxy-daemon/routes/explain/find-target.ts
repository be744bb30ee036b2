/**
 * Where a path leads at this gateway, told as nginx finds it (server-locations.ts, route-maps.ts, lua/mcp/at-rewrite.lua): a test
 * compares the two over many odd paths. Pure.
 */
import type { Route } from '../route-table.ts';

/** `own`: the gateway answers itself. `refused`: with this status. `route`: a service's, `rest` being what its instances see. */
export type Target =
  | { kind: 'own'; why: string }
  | { kind: 'refused'; status: 400 | 404; why: string; route: Route | null }
  | { kind: 'route'; route: Route; rest: string };

export interface Found {
  /** Decoded, without dot segments, without the query; null where it can't be. */
  path: string | null;
  target: Target;
}

const ownPlaces: [RegExp, string][] = [
  [/^\/healthz$/, 'its health'],
  [/^\/openapi\.(?:json|yaml)$/, 'the merged document'],
  [/^\/docs(?:\/|$)/, 'the documents and their pages'],
  [/^\/status(?:\/|\.json$|$)/, 'its status'],
];
const oddSegment = /(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)/i;
const usualRest = /^(?:\/|\?|$)/;

/** `asked`: as a client sends it, with its query. `ignoresCase`: as plain mode's maps do. */
export function findTarget(asked: string, routes: readonly Route[], ignoresCase: boolean): Found {
  const raw = asked.split('?', 1)[0] ?? '';
  const path = normalised(raw);
  const refused = (status: 400 | 404, why: string, route: Route | null = null): Found => {
    return { path, target: { kind: 'refused', status, why, route } };
  };
  if (path === null) return refused(400, 'the path is no sound percent-encoding, or leads above the root');
  const own = ownPlaces.find(([pattern]) => pattern.test(path));
  if (own) return { path, target: { kind: 'own', why: `the gateway answers this itself: ${own[1]}` } };
  if (/^\/_mcp\/(?:not-found$|door\/[^/]+(?:\/stream)?(?:\/o\/[^/]+|\/refused)?$)/.test(path)) {
    return refused(404, "a place of the gateway's own, which nobody outside can ask for");
  }
  if (oddSegment.test(raw)) return refused(400, 'the path has dot segments');
  const route = longest(path, routes);
  const folded = ignoresCase ? longest(path.toLowerCase(), routes) : route;
  if (folded && folded !== route) {
    return refused(404, `only its case differs from route ${folded.prefix}, which plain mode takes for another path`);
  }
  if (!route) return refused(404, 'no route begins this path');
  const prefix = route.prefix === '/' ? '' : route.prefix;
  const rest = asked.slice(prefix.length);
  if (!raw.startsWith(prefix) || !usualRest.test(rest)) {
    return refused(400, `the part of the path that is route ${route.prefix} is percent-encoded`, route);
  }
  return { path, target: { kind: 'route', route, rest: rest.startsWith('/') ? rest : `/${rest}` } };
}

/** Whether a path is below a prefix, segment by segment. */
export function isBelow(path: string, prefix: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}

function longest(path: string, routes: readonly Route[]): Route | null {
  return routes.reduce<Route | null>((found, route) => {
    return isBelow(path, route.prefix) && route.prefix.length > (found?.prefix.length ?? 0) ? route : found;
  }, null);
}

function normalised(raw: string): string | null {
  if (/%(?![0-9a-f]{2})|%00/i.test(raw)) return null;
  const segments: string[] = [];
  const all = decoded(raw).split('/').slice(1);
  for (const [at, segment] of all.entries()) {
    const isLast = at === all.length - 1;
    if (segment === '..') {
      if (segments.pop() === undefined) return null;
      if (isLast) segments.push('');
    } else if (segment !== '.') segments.push(segment);
    else if (isLast) segments.push('');
  }
  return `/${segments.join('/')}`;
}

function decoded(raw: string): string {
  const bytes: number[] = [];
  for (const [, hex, other = ''] of raw.matchAll(/%([0-9a-f]{2})|([^%])/gi)) {
    bytes.push(hex === undefined ? other.charCodeAt(0) : Number.parseInt(hex, 16));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
