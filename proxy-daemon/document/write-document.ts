import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writevSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Piece } from './merge.ts';
import { packed } from './pack-fragment.ts';

/** Pieces are gathered to this many bytes a write. */
const chunkBytes = 1_048_576;
/** No system takes more in one call (IOV_MAX). */
export const partsAtOnce = 1024;
/** A gzip member's head (RFC 1952, 2.3): deflate, no name, no time, unknown system. */
export const gzipHead = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
/** The empty last block that ends a deflate stream. */
const lastBlock = Uint8Array.of(3, 0);

/**
 * Writes the pieces as `path` and packed as `path`.gz, each whole or not at all. Both get the same modification time, later than
 * that of the file before them by at least one second: nginx makes its ETag of that time and the size, and two texts of one
 * size must not share one. Files that hold exactly these pieces already are left alone, so that their ETag stays.
 *
 * Blocks while it works: for a thread. Throws what the file system says.
 */
export function writePieces(path: string, pieces: readonly Piece[], nowMs: number): void {
  if (holds(path, pieces)) return;
  const before = modifiedAt(path);
  let checksum = 0;
  let size = 0;
  writeWhole(`${path}.new`, (put) => {
    for (const { text } of pieces) {
      checksum = crc32(text, checksum);
      size += text.length;
      put(text);
    }
  });
  writeWhole(`${path}.gz.new`, (put) => {
    put(gzipHead);
    for (const piece of pieces) put(piece.packed ?? packed(piece.text));
    put(gzipTail(checksum, size));
  });
  const time = Math.max(Math.floor(nowMs / 1000), before + 1);
  for (const file of [`${path}.gz`, path]) {
    utimesSync(`${file}.new`, time, time);
    renameSync(`${file}.new`, file);
  }
}

/** What ends a gzip member: the end of the deflate stream, checksum and size of the text. */
export function gzipTail(checksum: number, size: number): Uint8Array {
  return Buffer.concat([lastBlock, new Uint8Array(Uint32Array.of(checksum, size).buffer)]);
}

/** Seconds since the Unix epoch; 0 where there is no such file. */
export function modifiedAt(path: string): number {
  return Math.floor((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) / 1000);
}

function holds(path: string, pieces: readonly Piece[]): boolean {
  const size = pieces.reduce((sum, { text }) => sum + text.length, 0);
  if (statSync(path, { throwIfNoEntry: false })?.size !== size) return false;
  if (statSync(`${path}.gz`, { throwIfNoEntry: false }) === undefined) return false;
  const there = readFileSync(path);
  let at = 0;
  for (const { text } of pieces) {
    if (there.compare(text, 0, text.length, at, at + text.length) !== 0) return false;
    at += text.length;
  }
  return true;
}

function writeWhole(path: string, fill: (put: (bytes: Uint8Array) => void) => void): void {
  const file = openSync(path, 'w', 0o644);
  try {
    let parts: Uint8Array[] = [];
    let bytes = 0;
    const flush = () => {
      writeAll(file, parts, bytes);
      parts = [];
      bytes = 0;
    };
    fill((part) => {
      parts.push(part);
      bytes += part.length;
      if (bytes >= chunkBytes || parts.length === partsAtOnce) flush();
    });
    flush();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Not copied together before: what is set aside for that, megabytes for small files, would have to be collected. */
function writeAll(file: number, parts: readonly Uint8Array[], bytes: number): void {
  if (bytes === 0) return;
  const written = writevSync(file, parts);
  // A full disk may take a part of what it is given before it refuses.
  if (written < bytes) writeFileSync(file, Buffer.concat(parts).subarray(written));
}
