import { createHash } from 'node:crypto';
import { existsSync, linkSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../files.ts';
import { lineOf, listSuffix, listText, readList } from './piece-list.ts';
import { wholeForms } from './service-part.ts';

/** A merged document that is served in one way, made ready for the other: for a gateway that was started in another mode. */

const files = wholeForms.flatMap(({ file }) => [file, `${file}.gz`]);
/** Bytes that are copied at once. */
const sliceBytes = 1_048_576;

/** Whole files as lists of one piece each. Copies nothing: the pieces are links. Throws what the file system says. */
export function listedFromFiles(from: string, pieces: string, to: string): void {
  makeDirectory(pieces);
  for (const file of files) {
    const path = join(from, file);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    // Written once, under a name of its own: what it is tells its content apart from all others'.
    const told = [file, stat.dev, stat.ino, stat.mtimeMs, stat.size].join(' ');
    const name = createHash('sha256').update(told).digest('hex').slice(0, 32);
    if (!existsSync(join(pieces, name))) linkSync(path, join(pieces, name));
    const modified = Math.floor(stat.mtimeMs / 1000);
    const line = lineOf(name, 0, stat.size);
    writeFileSync(join(to, file + listSuffix), listText(line.text, name, line.length, modified), {
      mode: 0o644,
    });
    utimesSync(join(to, file + listSuffix), modified, modified);
  }
}

/** Lists as whole files. Rejects with what the file system says, also where a piece is missing. */
export async function joinedFromLists(from: string, pieces: string, to: string): Promise<void> {
  for (const file of files) {
    if (!existsSync(join(from, file + listSuffix))) continue;
    const list = readList(readFileSync(join(from, file + listSuffix), 'utf8'));
    if (list === undefined) throw new Error(`${file}${listSuffix} is no list of pieces`);
    await using target = await open(join(to, file), 'w', 0o644);
    const buffer = Buffer.allocUnsafe(sliceBytes);
    for (const { name, offset, length } of list.ranges) {
      await using source = await open(join(pieces, name));
      for (let done = 0; done < length; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(length - done, sliceBytes), offset + done);
        if (bytesRead === 0) throw new Error(`the piece ${name} is too short`);
        await target.writeFile(buffer.subarray(0, bytesRead));
        done += bytesRead;
      }
    }
    await target.utimes(list.modified, list.modified);
  }
}
