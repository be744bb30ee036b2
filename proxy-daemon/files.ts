/** Files that are whole or not there: written aside, then renamed. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';

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

/** Makes a directory that the proxy's workers can read, with its parents. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
}
