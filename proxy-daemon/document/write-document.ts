import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Piece } from './merge.ts';
import { packed } from './pack-fragment.ts';

/** Pieces are gathered to this many bytes a write. */
const chunkBytes = 1_048_576;
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
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let used = 0;
    const flush = () => {
      writeAll(file, chunk.subarray(0, used));
      used = 0;
    };
    fill((bytes) => {
      if (bytes.length > chunkBytes - used) flush();
      if (bytes.length > chunkBytes) return writeAll(file, bytes);
      chunk.set(bytes, used);
      used += bytes.length;
    });
    flush();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** A full disk may take a part of what it is given before it refuses. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
