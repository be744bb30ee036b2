/**
 * Who watches what, seen from the client: one-shot watches of reads, persistent and recursive ones. Used by the wire client
 * and the fake, so both deliver the same events to the same listeners. Holds no I/O.
 */
import type { WatchEvent, WatchNotice } from '../registry-client.ts';
import { parentOf } from './paths.ts';

export type OneShotKind = 'data' | 'exists' | 'children';
export type PersistentMode = 'persistent' | 'persistent-recursive';
type OneShot = (event: WatchEvent) => void;
type Listener = (notice: WatchNotice) => void;

/** Runs a listener; what it throws surfaces as an uncaught error instead of breaking the connection's read loop. */
export function callListener<A>(listener: (argument: A) => void, argument: A): void {
  try {
    listener(argument);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

export class WatchTable {
  readonly #oneShots: Record<OneShotKind, Map<string, OneShot[]>> = {
    data: new Map(),
    exists: new Map(),
    children: new Map(),
  };
  readonly #listeners: Record<PersistentMode, Map<string, Set<Listener>>> = {
    persistent: new Map(),
    'persistent-recursive': new Map(),
  };

  addOneShot(kind: OneShotKind, path: string, watch: OneShot): void {
    const list = this.#oneShots[kind].get(path);
    if (list) list.push(watch);
    else this.#oneShots[kind].set(path, [watch]);
  }

  addListener(mode: PersistentMode, path: string, listener: Listener): void {
    const set = this.#listeners[mode].get(path);
    if (set) set.add(listener);
    else this.#listeners[mode].set(path, new Set([listener]));
  }

  removeListener(mode: PersistentMode, path: string, listener: Listener): void {
    const set = this.#listeners[mode].get(path);
    set?.delete(listener);
    if (set?.size === 0) this.#listeners[mode].delete(path);
  }

  /** Paths with one-shot watches of that kind. */
  oneShotPaths(kind: OneShotKind): string[] {
    return [...this.#oneShots[kind].keys()];
  }

  hasOneShot(kind: OneShotKind, path: string): boolean {
    return this.#oneShots[kind].has(path);
  }

  /** Paths whose strongest persistent watch is of that mode (a recursive one sees all that a plain one sees). */
  listenerPaths(mode: PersistentMode): string[] {
    return [...this.#listeners[mode].keys()].filter((path) => this.modeAt(path) === mode);
  }

  /** The strongest persistent watch at exactly this path. */
  modeAt(path: string): PersistentMode | null {
    if (this.#listeners['persistent-recursive'].has(path)) return 'persistent-recursive';
    return this.#listeners.persistent.has(path) ? 'persistent' : null;
  }

  /** Gives an event to everyone whom it concerns; one-shot watches are gone before they are called. */
  dispatch(event: WatchEvent): void {
    for (const kind of firedBy[event.type]) {
      const watches = this.#oneShots[kind].get(event.path);
      this.#oneShots[kind].delete(event.path);
      for (const watch of watches ?? []) callListener(watch, event);
    }
    const notice: WatchNotice = { kind: 'event', ...event };
    this.#tell(this.#listeners.persistent.get(event.path), notice);
    if (event.type === 'children') return;
    for (let path = event.path; ; path = parentOf(path)) {
      this.#tell(this.#listeners['persistent-recursive'].get(path), notice);
      if (path === '/') return;
    }
  }

  /** `resync` to every persistent listener. */
  resync(): void {
    this.#tellAll({ kind: 'resync' });
  }

  /** `lost` to every persistent listener; forgets everything. */
  lose(): void {
    const listeners = this.#all();
    for (const map of [...Object.values(this.#oneShots), ...Object.values(this.#listeners)]) map.clear();
    for (const listener of listeners) callListener(listener, { kind: 'lost' });
  }

  #tellAll(notice: WatchNotice): void {
    for (const listener of this.#all()) callListener(listener, notice);
  }

  #all(): Listener[] {
    return Object.values(this.#listeners).flatMap((map) => [...map.values()].flatMap((set) => [...set]));
  }

  #tell(listeners: Set<Listener> | undefined, notice: WatchNotice): void {
    for (const listener of [...(listeners ?? [])]) {
      // A listener called just before may have closed this one.
      if (listeners?.has(listener)) callListener(listener, notice);
    }
  }
}

const firedBy: Record<WatchEvent['type'], OneShotKind[]> = {
  created: ['data', 'exists'],
  changed: ['data', 'exists'],
  deleted: ['data', 'exists', 'children'],
  children: ['children'],
};
