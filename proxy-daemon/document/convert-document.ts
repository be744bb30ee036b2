import { createHash } from 'node:crypto';
import { existsSync, linkSync, statSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../files.ts';
import { lineOf, listsText, readLists } from './piece-list.ts';
import { wholeForms } from './service-part.ts';

/** A merged document that is served in one way, made ready for the other: for a gateway that was started in another mode. */

const files = wholeForms.flatMap(({ file }) => [file, `${file}.gz`]);
/** Bytes that are copied at once. */
const sliceBytes = 1_048_576;

/** Whole files, in a folder, as lists of one piece each. Copies nothing: the pieces are links. Throws what the file system says. */
export function listedFromFiles(from: string, pieces: string, digest: string, to: string): void {
  makeDirectory(pieces);
  const lists = files.flatMap((file) => {
    const path = join(from, file);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    // Written once, under a name of its own: what it is tells its content apart from all others'.
    const told = [file, stat.dev, stat.ino, stat.mtimeMs, stat.size].join(' ');
    const name = createHash('sha256').update(told).digest('hex').slice(0, 32);
    if (!existsSync(join(pieces, name))) linkSync(path, join(pieces, name));
    const modified = Math.floor(stat.mtimeMs / 1000);
    return { file, body: lineOf(name, 0, stat.size).text, length: stat.size, digest: name, modified };
  });
  writeFileSync(to, listsText(digest, lists), { mode: 0o644 });
}

/** Lists as whole files in a folder. Rejects with what the file system says, also where a piece is missing. */
export async function joinedFromLists(from: string, pieces: string, to: string): Promise<void> {
  const found = readLists(await readFile(from, 'utf8'));
  if (found === undefined) throw new Error('these are no lists of pieces');
  for (const { file, modified, ranges } of found.lists) {
    await using target = await open(join(to, file), 'w', 0o644);
    const buffer = Buffer.allocUnsafe(sliceBytes);
    for (const { name, offset, length } of ranges) {
      await using source = await open(join(pieces, name));
      for (let done = 0; done < length; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(length - done, sliceBytes), offset + done);
        if (bytesRead === 0) throw new Error(`the piece ${name} is too short`);
        await target.writeFile(buffer.subarray(0, bytesRead));
        done += bytesRead;
      }
    }
    await target.utimes(modified, modified);
  }
}
