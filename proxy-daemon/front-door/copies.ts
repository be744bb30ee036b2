/** Copies of what operators name, for nginx alone: what is served does not depend on what becomes of the original. */
import { chmodSync, chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Gives the copy's path. Only `reader` can read it; null: only the user that starts nginx. Throws where the disk is full. */
export function copyTo(
  directory: string,
  name: string,
  content: Buffer,
  reader: { uid: number; gid: number } | null,
): string {
  const path = join(directory, name);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Who reads one of them must be able to enter, not to look around.
  chmodSync(directory, reader === null ? 0o700 : 0o711);
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  if (reader !== null) chownSync(`${path}.new`, reader.uid, reader.gid);
  renameSync(`${path}.new`, path);
  return path;
}
