/**
 * What the server must know of a client's watches. A server (up to 3.8) keeps one mode for each session and path: a read's
 * one-shot watch would silently turn a persistent watch at the same path into itself. So where we hold a persistent watch, a
 * read sets none at the server, and its event is taken from the persistent one; and when the persistent watch goes, the
 * one-shot ones that leaned on it are set anew. Holds no I/O.
 */
import type { WatchEvent } from '../registry-client.ts';
import { parentOf } from './paths.ts';
import type { WatchSet } from './protocol.ts';
import type { OneShotKind, PersistentMode, WatchTable } from './watches.ts';

/** Bytes of paths in one request; far under what a server takes. */
const batchBytes = 128 * 1024;

export class ServerWatches {
  readonly #table: WatchTable;
  /** Persistent watches wanted at a path, from the moment they are asked for: requests on the wire count already. */
  readonly #wanted = new Map<string, PersistentMode[]>();

  constructor(table: WatchTable) {
    this.#table = table;
  }

  /** The mode to ask the server for, so that this watch and those already there all see their events. */
  want(path: string, mode: PersistentMode): PersistentMode {
    this.#wanted.set(path, [...(this.#wanted.get(path) ?? []), mode]);
    return this.strongest(path) ?? mode;
  }

  /** One wish less; what the server should hold now. */
  unwant(path: string, mode: PersistentMode): PersistentMode | null {
    const modes = this.#wanted.get(path) ?? [];
    const index = modes.indexOf(mode);
    const left = modes.filter((_, at) => at !== index);
    if (left.length === 0) this.#wanted.delete(path);
    else this.#wanted.set(path, left);
    return this.strongest(path);
  }

  /** A recursive watch sees all that a plain one sees (see `implied`). */
  strongest(path: string): PersistentMode | null {
    const modes = this.#wanted.get(path);
    if (!modes) return null;
    return modes.includes('persistent-recursive') ? 'persistent-recursive' : 'persistent';
  }

  /**
   * The event that follows from `event` but that the server does not send: a recursive watch reports children that come and
   * go, but not that their parent's list changed.
   */
  implied(event: WatchEvent): WatchEvent | null {
    if ((event.type !== 'created' && event.type !== 'deleted') || event.path === '/') return null;
    const parent = parentOf(event.path);
    return this.strongest(parent) === 'persistent-recursive' ? { type: 'children', path: parent } : null;
  }

  /** All watches, in batches to be sent in this order: one-shot ones first, since the last mode set at a path stays. */
  all(toServer: (path: string) => string): WatchSet[] {
    const kinds = ['data', 'exists', 'children'] as const;
    const modes = ['persistent', 'persistent-recursive'] as const;
    return batches([
      ...kinds.flatMap((kind) => this.#table.oneShotPaths(kind).map((path) => ({ kind, path: toServer(path) }))),
      ...modes.flatMap((kind) => this.#table.listenerPaths(kind).map((path) => ({ kind, path: toServer(path) }))),
    ]);
  }

  /** The one-shot watches at a path, if there are any. */
  oneShotsAt(path: string, toServer: (path: string) => string): WatchSet | null {
    const kinds: OneShotKind[] = ['data', 'exists', 'children'];
    const entries = kinds.filter((kind) => this.#table.hasOneShot(kind, path));
    return batches(entries.map((kind) => ({ kind, path: toServer(path) })))[0] ?? null;
  }
}

function batches(entries: { kind: keyof WatchSet; path: string }[]): WatchSet[] {
  const result: WatchSet[] = [];
  let size = batchBytes;
  for (const { kind, path } of entries) {
    if (size >= batchBytes) {
      result.push({ data: [], exists: [], children: [], persistent: [], 'persistent-recursive': [] });
      size = 0;
    }
    result.at(-1)?.[kind].push(path);
    size += Buffer.byteLength(path) + 4;
  }
  return result;
}
