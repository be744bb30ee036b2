/** A machine's console on disk: bounded while somebody else goes on appending to it, and read in parts. */
import { open, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import type { ConsolePart } from '../provider.ts';
import { isDiskFull, orRemove, ownName, unless } from './files.ts';

/** A console larger than this, bytes, becomes the older half (`<path>.1`), which replaces the one there. */
const mostConsoleBytes = 1024 ** 2;

/**
 * Moves a console that has grown too large aside. Whoever writes has it open to append, so it is copied and cut off; what is
 * written between these two is lost. Safe to be done by several at once. Where the disk has no room for the copy the console is cut
 * off all the same: it may be what fills the disk.
 */
export async function boundConsole(path: string, most = mostConsoleBytes): Promise<void> {
  const size = (await unless(stat(path), null, 'ENOENT'))?.size ?? 0;
  if (size <= most) return;
  const draft = `${path}.${ownName()}`;
  try {
    // Its newest part: nobody watched it for a while, or it grew fast.
    await orRemove(draft, async () => writeFile(draft, await readPart(path, size - most)));
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    await rm(older(path), { force: true });
    return truncate(path, 0);
  }
  if (((await unless(stat(path), null, 'ENOENT'))?.size ?? 0) < size) return rm(draft, { force: true });
  await rename(draft, older(path));
  await truncate(path, 0);
}

/** What the console showed after the cursor, or all that is kept; null where there is no console. */
export async function readConsole(path: string, after: string | null): Promise<ConsolePart | null> {
  const current = await unless(stat(path), null, 'ENOENT');
  if (!current) return null;
  const turned = (await unless(stat(older(path)), null, 'ENOENT'))?.mtimeMs ?? 0;
  const [seenTurn, seenBytes] = after === null ? [null, 0] : after.split(':').map(Number);
  const sameFile = seenTurn === turned;
  const from = sameFile ? (seenBytes ?? 0) : 0;
  const before = sameFile || turned === 0 ? Buffer.alloc(0) : await readPart(older(path), seenBytes ?? 0);
  const now = await readPart(path, from);
  return { text: Buffer.concat([before, now]).toString('utf8'), cursor: `${turned}:${from + now.length}` };
}

/** Where the older half of a console is. */
export function older(path: string): string {
  return `${path}.1`;
}

async function readPart(path: string, from: number): Promise<Buffer> {
  const file = await unless(open(path), null, 'ENOENT');
  if (!file) return Buffer.alloc(0);
  try {
    const { size } = await file.stat();
    const part = Buffer.alloc(Math.min(Math.max(0, size - from), 4 * mostConsoleBytes));
    const { bytesRead } = await file.read(part, 0, part.length, from);
    return part.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
