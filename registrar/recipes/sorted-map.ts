/**
 * A map in the order of its keys that never changes: another one that differs in a few of them shares all the rest with it. So one
 * change among very many costs little, and whoever holds an earlier map still has it as it was. Pure.
 */

/** Neighbours in the order of keys. */
interface Chunk<V> {
  keys: readonly string[];
  values: readonly V[];
}

/** A chunk with more than this is cut in two. */
const longest = 256;

export class SortedMap<V> implements ReadonlyMap<string, V> {
  readonly size: number;
  /** None of them empty. */
  readonly #chunks: readonly Chunk<V>[];

  private constructor(chunks: readonly Chunk<V>[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  /** Of a key that comes twice the last value counts. */
  static of<V>(entries: Iterable<readonly [string, V]>): SortedMap<V> {
    const all = new Map(entries);
    const keys = [...all.keys()].sort(byText);
    const values = keys.map((key) => all.get(key) as V);
    const chunks: Chunk<V>[] = [];
    for (let at = 0; at < keys.length; at += longest / 2) {
      chunks.push({ keys: keys.slice(at, at + longest / 2), values: values.slice(at, at + longest / 2) });
    }
    return new SortedMap(chunks, keys.length);
  }

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const at = firstFrom(chunk.keys, key);
    return chunk.keys[at] === key ? chunk.values[at] : undefined;
  }

  has(key: string): boolean {
    const keys = this.#chunks[this.#chunkOf(key)]?.keys;
    return keys !== undefined && keys[firstFrom(keys, key)] === key;
  }

  with(key: string, value: V): SortedMap<V> {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return new SortedMap([{ keys: [key], values: [value] }], 1);
    const at = firstFrom(chunk.keys, key);
    const known = chunk.keys[at] === key ? 1 : 0;
    const keys = known ? chunk.keys : chunk.keys.toSpliced(at, 0, key);
    const values = chunk.values.toSpliced(at, known, value);
    return new SortedMap(this.#chunks.toSpliced(index, 1, ...cut(keys, values)), this.size + 1 - known);
  }

  without(key: string): SortedMap<V> {
    return this.#without(key, (other) => other === key);
  }

  /** Without all keys that begin so. */
  withoutAll(prefix: string): SortedMap<V> {
    return this.#without(prefix, (key) => key.startsWith(prefix));
  }

  *entries(): MapIterator<[string, V]> {
    for (const { keys, values } of this.#chunks) {
      for (const [at, key] of keys.entries()) yield [key, values[at] as V];
    }
  }

  *keys(): MapIterator<string> {
    for (const { keys } of this.#chunks) yield* keys;
  }

  *values(): MapIterator<V> {
    for (const { values } of this.#chunks) yield* values;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(use: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this) use(value, key, this);
  }

  /** Without the keys from `first` on for which `goes` holds, which are neighbours. */
  #without(first: string, goes: (key: string) => boolean): SortedMap<V> {
    const from = this.#chunkOf(first);
    const left: Chunk<V>[] = [];
    let [index, size] = [from, this.size];
    for (; index < this.#chunks.length; index += 1) {
      const { keys, values } = this.#chunks[index] as Chunk<V>;
      const begin = firstFrom(keys, first);
      let end = begin;
      while (end < keys.length && goes(keys[end] as string)) end += 1;
      // A chunk may end before the first of them.
      if (end === begin && begin < keys.length) break;
      size -= end - begin;
      if (end - begin === keys.length) continue;
      left.push({ keys: keys.toSpliced(begin, end - begin), values: values.toSpliced(begin, end - begin) });
    }
    return size === this.size ? this : new SortedMap(this.#chunks.toSpliced(from, index - from, ...left), size);
  }

  /** The chunk that a key is in, or belongs into. */
  #chunkOf(key: string): number {
    let [low, high] = [0, this.#chunks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#chunks[middle]?.keys[0] as string) <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function cut<V>(keys: readonly string[], values: readonly V[]): Chunk<V>[] {
  if (keys.length <= longest) return [{ keys, values }];
  const half = keys.length >> 1;
  return [
    { keys: keys.slice(0, half), values: values.slice(0, half) },
    { keys: keys.slice(half), values: values.slice(half) },
  ];
}

/** Where the first key is that is not before `key`. */
function firstFrom(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
