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
  let [end, toEnd] = [before.length, after.length];
  // Mostly one route differs: all before and behind it are the same ones.
  while (at < end && before[at] === after[at]) at += 1;
  to = at;
  while (end > at && toEnd > to && before[end - 1] === after[toEnd - 1]) {
    end -= 1;
    toEnd -= 1;
  }
  while (at < end && to < toEnd) {
    const [old, now] = [before[at] as Route, after[to] as Route];
    const order = old === now ? 0 : byPrefix(old, now);
    if (old !== now && order <= 0) left.push(old);
    if (old !== now && order >= 0) entered.push(now);
    if (order <= 0) at += 1;
    if (order >= 0) to += 1;
  }
  return { left: left.concat(before.slice(at, end)), entered: entered.concat(after.slice(to, toEnd)) };
}
