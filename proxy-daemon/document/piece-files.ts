import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../files.ts';
import { partsAtOnce } from './write-document.ts';

/**
 * How long a piece stays after no list names it any more, ms: an answer that was begun with a list that did names it until its end,
 * and nginx ends answers that take longer (longest_s in nginx/lua/mcp/pieces.lua).
 */
export const graceMs = 330_000;
/** So many bytes wait at most, or as many as are in use: where documents change all the time, the oldest go before their time. */
const leastWaitingBytes = 256 * 1024 * 1024;

/** So long what is in the folder is believed to be as this process left it, where the folder itself says that nothing came or went, ms. */
const lookAgainMs = 10_000;

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
  /** The longest first. */
  readonly #waiting = new Map<string, Waiting>();
  #waitingBytes = 0;
  #named: ReadonlySet<string> = new Set();
  /** In the folder, and not known to be named by any list. */
  #unnamed: string[] = [];
  /** When something came or went in the folder last, as it said; and when it was looked at as a whole (monotonic, ms). */
  #changed = 0n;
  #looked = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Looks what is there: what was taken away is written again. `now` is monotonic, ms. */
  look(now: number): void {
    makeDirectory(this.#dir);
    if (changeOf(this.#dir) === this.#changed && now - this.#looked < lookAgainMs) return;
    this.#looked = now;
    const there = new Set(readdirSync(this.#dir));
    for (const name of this.#kept.keys()) if (!there.has(name)) this.#kept.delete(name);
    for (const name of this.#waiting.keys()) if (!there.has(name)) this.#stopWaiting(name);
    this.#unnamed = [...there].filter((name) => !this.#named.has(name));
  }

  has(name: string): boolean {
    return this.#kept.has(name);
  }

  /** Writes it, whole or not at all. One that an earlier process left is compared: what a power failure tore is made good. */
  keep(name: string, parts: readonly Uint8Array[]): void {
    if (this.#kept.has(name)) return;
    const path = join(this.#dir, name);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (!holds(path, size, parts)) write(path, size, parts);
    this.#kept.set(name, size);
    this.#unnamed.push(name);
  }

  /** Removes what no list in use has named for as long as an answer may take. `now` is monotonic, ms. */
  tidy(named: ReadonlySet<string>, now: number): void {
    for (const name of [...this.#named, ...this.#unnamed]) if (!named.has(name)) this.#wait(name, now);
    let inUse = 0;
    for (const name of named) {
      this.#stopWaiting(name);
      inUse += this.#kept.get(name) ?? 0;
    }
    this.#named = named;
    this.#unnamed = [];
    const most = Math.max(leastWaitingBytes, inUse);
    for (const [name, { since }] of this.#waiting) {
      if (now - since < graceMs && this.#waitingBytes <= most) break;
      rmSync(join(this.#dir, name), { force: true });
      this.#kept.delete(name);
      this.#stopWaiting(name);
    }
    this.#changed = changeOf(this.#dir);
  }

  #wait(name: string, since: number): void {
    if (this.#waiting.has(name)) return;
    const bytes = this.#kept.get(name) ?? sizeOf(join(this.#dir, name));
    this.#waiting.set(name, { since, bytes });
    this.#waitingBytes += bytes;
  }

  #stopWaiting(name: string): void {
    this.#waitingBytes -= this.#waiting.get(name)?.bytes ?? 0;
    this.#waiting.delete(name);
  }
}

/** When something came or went there last. */
function changeOf(dir: string): bigint {
  return statSync(dir, { bigint: true }).mtimeNs;
}

function holds(path: string, size: number, parts: readonly Uint8Array[]): boolean {
  return sizeOf(path) === size && readFileSync(path).equals(Buffer.concat(parts, size));
}

/** Not copied together before: that would be a megabyte to be collected for each change. */
function write(path: string, size: number, parts: readonly Uint8Array[]): void {
  const aside = `${path}.new`;
  const file = openSync(aside, 'w', 0o644);
  try {
    let written = 0;
    for (let at = 0; at < parts.length; at += partsAtOnce)
      written += writevSync(file, parts.slice(at, at + partsAtOnce));
    // A full disk may take a part of what it is given.
    if (written !== size) throw new Error(`only ${written} of ${size} bytes of a piece could be written`);
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** 0 where it is gone. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
