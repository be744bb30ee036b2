/** Lists sorted by a name, as JavaScript compares texts. */

/** Where the first one is whose name is not before this one; the list's length where there is none. */
export function firstNotBefore<T>(sorted: readonly T[], name: string, nameOf: (one: T) => string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (nameOf(sorted[middle] as T) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A sorted list with others among it that are in any order. */
export function joinSorted<T>(sorted: readonly T[], others: readonly T[], nameOf: (one: T) => string): T[] {
  const rest = [...others].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const joined: T[] = [];
  let next = 0;
  for (const one of sorted) {
    for (; next < rest.length && nameOf(rest[next] as T) < nameOf(one); next += 1) joined.push(rest[next] as T);
    joined.push(one);
  }
  return [...joined, ...rest.slice(next)];
}
