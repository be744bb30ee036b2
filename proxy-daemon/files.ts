/** Files that are whole or not there: written aside, then renamed. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { Clock } from '../registrar/clock.ts';
import { inSlices } from './in-slices.ts';

/** Content that is made in parts is written in blocks of so many bytes. */
const blockBytes = 128 * 1024;
/** Blocks that nobody writes from: as many as there ever were files under way at once. */
const spare: Buffer[] = [];
/** After so many bytes others may have their turn. */
const stepBytes = 4096;

/** Replaces `path` in one step; on failure (a full disk) the old file stays. Readable by the proxy's workers unless `mode` says else. */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): void {
  const aside = `${path}.new`;
  try {
    writeFileSync(aside, content, { mode });
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

/**
 * The same with content that is made in parts, between other work. `end`: what to put behind so many bytes. Two of one path must
 * not overlap. Resolves with the ms that it took of this thread: a disk that is busy takes none of it.
 */
export async function replaceFileInSlices(
  path: string,
  parts: Iterable<string>,
  clock: Clock,
  end: (bytes: number) => string = () => '',
): Promise<number> {
  const aside = `${path}.new`;
  try {
    const file = await open(aside, 'w', 0o644);
    let ownMs: number;
    try {
      ownMs = await writeParts(file, parts, clock, end);
    } finally {
      await file.close();
    }
    await rename(aside, path);
    return ownMs;
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

async function writeParts(
  file: FileHandle,
  parts: Iterable<string>,
  clock: Clock,
  end: (bytes: number) => string,
): Promise<number> {
  const buffer = spare.pop() ?? Buffer.allocUnsafe(blockBytes);
  try {
    const blocks = inBlocks(parts, buffer);
    const watch = { ms: 0 };
    let bytes = 0;
    for (;;) {
      const block = await inSlices(timed(blocks.next(), clock, watch), clock);
      if (block === null) break;
      await file.writeFile(block);
      bytes += block.length;
    }
    await file.writeFile(end(bytes));
    return watch.ms;
  } finally {
    spare.push(buffer);
  }
}

/** Adds up the time between the yields. */
function* timed<T>(work: Generator<void, T>, clock: Clock, watch: { ms: number }): Generator<void, T> {
  for (;;) {
    const began = clock.monotonic();
    const step = work.next();
    watch.ms += clock.monotonic() - began;
    if (step.done) return step.value;
    yield;
  }
}

/**
 * One block after the other, each valid until the next is asked for; null: that was all. A buffer for each part would be garbage that
 * takes long to collect.
 */
function inBlocks(parts: Iterable<string>, block: Buffer): { next(): Generator<void, Uint8Array | null> } {
  const rest = parts[Symbol.iterator]();
  let waiting: string | null = null;
  return {
    *next() {
      let [used, looked] = [0, 0];
      for (;;) {
        const part: string | null = waiting ?? nextOf(rest);
        if (part === null) return used === 0 ? null : block.subarray(0, used);
        waiting = part;
        if (!fits(part, blockBytes - used) && used > 0) return block.subarray(0, used);
        waiting = null;
        if (!fits(part, blockBytes)) return Buffer.from(part);
        used += block.write(part, used);
        if (used - looked < stepBytes) continue;
        looked = used;
        yield;
      }
    },
  };
}

function nextOf(parts: Iterator<string>): string | null {
  const { done, value } = parts.next();
  return done ? null : value;
}

function fits(text: string, bytes: number): boolean {
  // No letter is longer than three bytes for each of its units.
  return text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes;
}

/** Makes a directory that the proxy's workers can read, with its parents. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
}
