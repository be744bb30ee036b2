/** Where the gateway's unix sockets are, and whose the directories around them must be. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** A socket's path holds 107 bytes and an end. */
const longestPath = 100;

/**
 * `<dir>/<own>`, or, where that is too deep, its last name in a directory named after `dir` below the system's for temporary files.
 * `kind` tells the directories there apart.
 */
export function socketPlace(dir: string, own: string, kind: string): string {
  const path = join(dir, own);
  if (Buffer.byteLength(path) <= longestPath) return path;
  const name = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  return join(tmpdir(), `mcp-${kind}-${process.getuid?.() ?? 0}-${name}`, basename(own));
}

/** Makes the directory. False where it is somebody else's, or others have one of the rights in `denied` (mode bits). */
export function makeOwnDirectory(dir: string, mode: number, denied: number): boolean {
  mkdirSync(dir, { recursive: true, mode });
  const found = lstatSync(dir);
  return found.uid === (process.getuid?.() ?? found.uid) && (found.mode & denied) === 0;
}
