/**
 * What differs between two lists of routes. A route never changes, and the lists are in one order, so it costs one comparison of
 * identities a route: what was not touched is not looked at. Pure.
 */
import { byPrefix, type Route } from './route-table.ts';

export interface RouteDifferences {
  /** Of the list before, and not in the one after. */
  left: Route[];
  /** In the list after, and not in the one before. */
  entered: Route[];
}

/** In lists in another order some that are in both may be given as left and as entered. */
export function routeDifferences(before: readonly Route[], after: readonly Route[]): RouteDifferences {
  const left: Route[] = [];
  const entered: Route[] = [];
  if (before === after) return { left, entered };
  let [at, to] = [0, 0];
  while (at < before.length && to < after.length) {
    const [old, now] = [before[at] as Route, after[to] as Route];
    const order = old === now ? 0 : byPrefix(old, now);
    if (old !== now && order <= 0) left.push(old);
    if (old !== now && order >= 0) entered.push(now);
    if (order <= 0) at += 1;
    if (order >= 0) to += 1;
  }
  left.push(...before.slice(at));
  entered.push(...after.slice(to));
  return { left, entered };
}
