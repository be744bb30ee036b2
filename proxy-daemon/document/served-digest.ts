import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { DocumentFolders } from '../document-source.ts';
import { digestOfLists, digestWithin } from './piece-list.ts';

/** Beside the whole files of a document. */
export const digestFile = 'digest';

/** The digest of the document in place; null where there is none. Of lists only the beginning is read. Blocks. */
export function servedDigest({ served, pieces }: Pick<DocumentFolders, 'served' | 'pieces'>): string | null {
  try {
    return pieces === null ? readFileSync(join(served, digestFile), 'utf8') : digestOfLists(beginningOf(served));
  } catch {
    return null;
  }
}

function beginningOf(path: string): string {
  const bytes = Buffer.alloc(digestWithin);
  const file = openSync(path, 'r');
  try {
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}
