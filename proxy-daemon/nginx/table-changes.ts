/** What nginx has been sent, and what has to be sent for another route table: only entries that changed. */
import { routeDifferences } from '../routes/route-differences.ts';
import { byText, type Route, type RouteInstance, type RouteTable } from '../routes/route-table.ts';
import { entryInstances, instanceKey, serviceEntry } from '../routes/service-entry.ts';

export interface TableChanges {
  set: [prefix: string, entry: string][];
  remove: string[];
}

/** What follows from all prefixes together. */
export interface TableSummary {
  /** Routes by the number of path segments that their prefix has. */
  depths: ReadonlyMap<number, number>;
  /** The prefixes that a 404 answer tells. */
  listed: readonly string[];
}

/** Prefixes told in a 404 answer. */
const mostListed = 100;

export class SentTables {
  /** Entry by prefix. */
  readonly #sent = new Map<string, string>();
  /** The routes that these are the entries of; null: a daemon before this one sent them. */
  #routes: readonly Route[] | null = [];
  /** Since when each instance is known, by its key; an empty path: from a daemon before this one. */
  readonly #since = new Map<string, { path: string; at: number }>();
  #summary: TableSummary = { depths: new Map(), listed: [] };
  readonly #zone: string | null;
  /** What was found last, and of which routes. */
  #found: { changes: TableChanges; routes: readonly Route[] } | null = null;

  constructor(zone: string | null) {
    this.#zone = zone;
  }

  /** Takes up what a daemon before this one has sent. */
  restore(entries: ReadonlyMap<string, string>): void {
    this.#summary = this.summary({ set: [...entries], remove: [] });
    if (entries.size > 0) this.#routes = null;
    for (const [prefix, entry] of entries) {
      this.#sent.set(prefix, entry);
      for (const [key, at] of entryInstances(entry)) this.#since.set(key, { path: '', at });
    }
  }

  /** What differs in `table`. `now`: ms since the Unix epoch. */
  changes({ routes }: RouteTable, now: number): TableChanges {
    const { left, entered } = routeDifferences(this.#routes ?? [], routes);
    const set: [string, string][] = [];
    // Where nothing is known yet nothing is new: all have been there for who knows how long.
    const firstSeen = this.#sent.size === 0 ? 0 : now;
    for (const route of entered) {
      const since = (instance: RouteInstance) => this.#sinceOf(route.service, instance, firstSeen);
      const entry = serviceEntry(route, { zone: this.#zone, since });
      if (entry !== null && entry !== this.#sent.get(route.prefix)) set.push([route.prefix, entry]);
    }
    const present = new Set(entered.map(({ prefix }) => prefix));
    const old = this.#routes === null ? [...this.#sent.keys()] : left.map(({ prefix }) => prefix);
    const changes = { set, remove: old.filter((prefix) => !present.has(prefix) && this.#sent.has(prefix)) };
    this.#found = { changes, routes };
    // What was made anew, and says the same as before, need not be looked at again.
    if (set.length === 0 && changes.remove.length === 0) this.#routes = routes;
    return changes;
  }

  /** These changes are in force: calls back with the key of each instance that gets requests now, or gets none any more. */
  commit(changes: TableChanges, tell: (key: string, isRouted: boolean) => void): void {
    this.#summary = this.summary(changes);
    for (const prefix of changes.remove) {
      this.#compare(prefix, '', tell);
      this.#sent.delete(prefix);
    }
    for (const [prefix, entry] of changes.set) {
      this.#compare(prefix, entry, tell);
      this.#sent.set(prefix, entry);
    }
    this.#routes = this.#found?.changes === changes ? this.#found.routes : null;
  }

  /** What nginx is told beside the entries, as it is to be with `changes`. */
  summary({ set, remove }: TableChanges): TableSummary {
    const added = set.flatMap(([prefix]) => (this.#sent.has(prefix) ? [] : [prefix]));
    if (added.length === 0 && remove.length === 0) return this.#summary;
    const depths = new Map(this.#summary.depths);
    const count = (prefix: string, by: number) => depths.set(depthOf(prefix), (depths.get(depthOf(prefix)) ?? 0) + by);
    for (const prefix of added) count(prefix, 1);
    for (const prefix of remove) count(prefix, -1);
    for (const [depth, routes] of depths) if (routes === 0) depths.delete(depth);
    const gone = new Set(remove);
    // The first hundred stay the first hundred, unless one of them goes.
    const isWhole = this.#summary.listed.length < mostListed || !this.#summary.listed.some((one) => gone.has(one));
    const known = isWhole ? this.#summary.listed : [...this.#sent.keys()];
    const listed = [...known.filter((prefix) => !gone.has(prefix)), ...added].sort(byText).slice(0, mostListed);
    return { depths, listed };
  }

  /** All entries as they are to be with `changes`. */
  everything(changes: TableChanges): [prefix: string, entry: string][] {
    const all = new Map(this.#sent);
    for (const prefix of changes.remove) all.delete(prefix);
    for (const [prefix, entry] of changes.set) all.set(prefix, entry);
    return [...all];
  }

  /** Keys of all instances that get requests. */
  liveKeys(): Set<string> {
    return new Set([...this.#sent.values()].flatMap((entry) => [...entryInstances(entry).keys()]));
  }

  /** Since when nginx knows an instance, ms since the Unix epoch. */
  since(key: string): number | undefined {
    return this.#since.get(key)?.at;
  }

  #sinceOf(service: string, instance: RouteInstance, now: number): number {
    const key = instanceKey(service, instance);
    const known = this.#since.get(key);
    if (known && (known.path === instance.path || known.path === '')) {
      known.path = instance.path;
      return known.at;
    }
    this.#since.set(key, { path: instance.path, at: now });
    return now;
  }

  #compare(prefix: string, entry: string, tell: (key: string, isRouted: boolean) => void): void {
    const before = entryInstances(this.#sent.get(prefix) ?? '');
    const after = entryInstances(entry);
    for (const key of before.keys()) {
      if (after.has(key)) continue;
      this.#since.delete(key);
      tell(key, false);
    }
    for (const key of after.keys()) if (!before.has(key)) tell(key, true);
  }
}

function depthOf(prefix: string): number {
  return prefix === '/' ? 0 : prefix.split('/').length - 1;
}
