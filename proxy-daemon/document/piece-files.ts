import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory, replaceFile } from '../files.ts';

/**
 * How long a piece stays after no list names it any more, ms: an answer that was begun with a list that did names it until its end,
 * and nginx ends answers that take longer (longest_s in nginx/lua/mcp/pieces.lua).
 */
export const graceMs = 330_000;
/** So many bytes wait at most, or as many as are in use: where documents change all the time, the oldest go before their time. */
const leastWaitingBytes = 256 * 1024 * 1024;

interface Waiting {
  /** Monotonic time of the first look at which nothing named it. */
  since: number;
  bytes: number;
}

/** The folder of pieces: files whose names stand for their contents. Blocks: for a thread. Throws what the file system says. */
export class PieceFiles {
  readonly #dir: string;
  /** Written by this process, or found to be as it would have written them: with their sizes. */
  readonly #kept = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Looks what is there: what was taken away is written again. */
  look(): void {
    makeDirectory(this.#dir);
    const there = new Set(readdirSync(this.#dir));
    for (const name of this.#kept.keys()) if (!there.has(name)) this.#kept.delete(name);
    for (const name of this.#waiting.keys()) if (!there.has(name)) this.#waiting.delete(name);
  }

  has(name: string): boolean {
    return this.#kept.has(name);
  }

  /** Writes it, whole or not at all. One that an earlier process left is compared: what a power failure tore is made good. */
  keep(name: string, content: Buffer): void {
    if (this.#kept.has(name)) return;
    const path = join(this.#dir, name);
    if (!holds(path, content)) replaceFile(path, content);
    this.#kept.set(name, content.length);
  }

  /** Removes what no list in use has named for as long as an answer may take. `now` is monotonic, ms. */
  tidy(named: ReadonlySet<string>, now: number): void {
    let inUse = 0;
    let waiting = 0;
    for (const name of readdirSync(this.#dir)) {
      if (named.has(name)) {
        inUse += this.#kept.get(name) ?? 0;
        this.#waiting.delete(name);
        continue;
      }
      const entry = this.#waiting.get(name) ?? {
        since: now,
        bytes: this.#kept.get(name) ?? sizeOf(join(this.#dir, name)),
      };
      this.#waiting.set(name, entry);
      waiting += entry.bytes;
    }
    const most = Math.max(leastWaitingBytes, inUse);
    for (const [name, { since, bytes }] of [...this.#waiting].sort(([, a], [, b]) => a.since - b.since)) {
      if (now - since < graceMs && waiting <= most) return;
      rmSync(join(this.#dir, name), { force: true });
      this.#kept.delete(name);
      this.#waiting.delete(name);
      waiting -= bytes;
    }
  }
}

function holds(path: string, content: Buffer): boolean {
  return sizeOf(path) === content.length && readFileSync(path).equals(content);
}

/** 0 where it is gone. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
