/** Files that are whole or not there: written aside, then renamed. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '../registrar/clock.ts';
import { inSlices } from './in-slices.ts';

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
 * not overlap.
 */
export async function replaceFileInSlices(
  path: string,
  parts: Iterable<string>,
  clock: Clock,
  end: (bytes: number) => string = () => '',
): Promise<void> {
  const aside = `${path}.new`;
  try {
    const file = openSync(aside, 'w', 0o644);
    try {
      await inSlices(writeParts(file, parts, end), clock);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

function* writeParts(file: number, parts: Iterable<string>, end: (bytes: number) => string): Generator<void, void> {
  let bytes = 0;
  for (const part of parts) {
    const content = Buffer.from(part);
    bytes += content.length;
    writeFileSync(file, content);
    yield;
  }
  writeFileSync(file, end(bytes));
}

/** Makes a directory that the proxy's workers can read, with its parents. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
}
