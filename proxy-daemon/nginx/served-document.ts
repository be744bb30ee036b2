/**
 * The merged document at its fixed place, replaced in one step. nginx opens it at each request, so a new document needs no reload. Each
 * way of running nginx has a place of its own: plain mode's is a link to a folder of whole files, dynamic mode's a file with lists of
 * pieces (decision 0084). So one goes on serving its own while the other is put in its stead.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import { joinedFromLists, listedFromFiles } from '../document/convert-document.ts';
import { digestFile, servedDigest } from '../document/served-digest.ts';
import type { DocumentFolders, MergedDocument } from '../document-source.ts';
import { makeDirectory } from '../files.ts';
import type { GatewayPaths } from './paths.ts';

/** How a mode's nginx serves the merged document. */
export type DocumentForm = 'whole' | 'lists';

/** The document in its place, as a daemon that starts finds it; null where there is none. */
export function servedDocument(paths: GatewayPaths, form: DocumentForm): MergedDocument | null {
  const digest = servedDigest({ served: placeOf(paths, form), pieces: piecesOf(paths, form) });
  // Its files are where they belong.
  return digest === null ? null : { digest, operations: 0, sources: [], write: async () => {} };
}

/**
 * Writes the document beside the one in place, which stays served. Resolves with what puts the new one in its place, which rejects with
 * GATEWAY_DISK. Where it is the same there is nothing to do: `x-mcp-generation` is the generation that a document came with.
 * Rejects with GATEWAY_DISK or DOCUMENT_CLOSED.
 */
export async function writeDocument(
  paths: GatewayPaths,
  form: DocumentForm,
  generation: number,
  document: MergedDocument,
): Promise<() => Promise<void>> {
  if (servedDocument(paths, form)?.digest === document.digest) return async () => {};
  const number = freeNumber(paths, form, generation);
  await document.write(foldersOf(paths, form, number), generation);
  return () => show(paths, form, nameOf(form, number));
}

/** A document's number: the generation's, unless that folder is in place, from a try that failed after it. What is served is never written to. */
function freeNumber(paths: GatewayPaths, form: DocumentForm, generation: number): number {
  return inPlace(paths, form) === nameOf(form, generation) ? generation + 1 : generation;
}

/** The name of the folder that the link in place leads to; null where there is no link, as of lists, which are a file. */
function inPlace(paths: GatewayPaths, form: DocumentForm): string | null {
  if (form === 'lists') return null;
  try {
    return readlinkSync(placeOf(paths, form));
  } catch {
    return null;
  }
}

/**
 * For a daemon that starts: what the other mode served is taken up, where this one has served nothing. Where that can't be, what is
 * read next will be shown: never rejects.
 */
export async function takeOverDocument(paths: GatewayPaths, form: DocumentForm, generation: number): Promise<void> {
  const other = otherThan(form);
  const served = servedDocument(paths, other);
  if (servedDocument(paths, form) !== null || served === null) return;
  const { merged } = foldersOf(paths, form, generation);
  const from = placeOf(paths, other);
  try {
    await rm(merged, { recursive: true, force: true });
    if (form === 'lists') listedFromFiles(from, paths.documents.pieces, served.digest, merged);
    else {
      makeDirectory(merged);
      await joinedFromLists(from, paths.documents.pieces, merged);
      await writeFile(join(merged, digestFile), served.digest);
    }
    await show(paths, form, nameOf(form, generation));
  } catch {
    await rm(merged, { recursive: true, force: true }).catch(() => {});
  }
}

/**
 * Once this mode serves: away with what another one served. What can't be removed now is in nobody's way, and is removed the next time:
 * never rejects.
 */
export async function removeOtherDocument(paths: GatewayPaths, form: DocumentForm): Promise<void> {
  const other = otherThan(form);
  const pieces = other === 'lists' ? [paths.documents.pieces] : [];
  const folders = [...othersThan(paths, other, []), ...pieces];
  await Promise.allSettled([
    rm(placeOf(paths, other), { force: true }),
    ...folders.map((folder) => rm(folder, { recursive: true, force: true })),
  ]);
}

/** Not synchronously: what changes a folder may wait for the disk, and the event loop would wait along. */
async function show(paths: GatewayPaths, form: DocumentForm, name: string): Promise<void> {
  const place = placeOf(paths, form);
  const link = () => symlink(name, `${place}.new`);
  try {
    if (form === 'lists') return await rename(join(paths.documents.all, name), place);
    // Left by a daemon that was killed between these two.
    await link().catch(() => rm(`${place}.new`, { force: true }).then(link));
    await rename(`${place}.new`, place);
  } catch (cause) {
    throw new McpError('GATEWAY_DISK', `the new document can't be put in place: ${(cause as Error).message}`, {
      cause,
      retryable: true,
      hint: 'The last good one stays. Is the disk full?',
    });
  }
}

/** All documents of a form that are not in their place, but those of these names. */
function othersThan({ documents: { all } }: GatewayPaths, form: DocumentForm, names: readonly string[]): string[] {
  const [prefix, number] = [nameOf(form, ''), /^\d+$/];
  const isOne = (one: string) => one.startsWith(prefix) && number.test(one.slice(prefix.length));
  return namesIn(all).flatMap((one) => (isOne(one) && !names.includes(one) ? [join(all, one)] : []));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Before the first document there is no folder for any.
    return [];
  }
}

function foldersOf(paths: GatewayPaths, form: DocumentForm, generation: number): DocumentFolders {
  const { all, services } = paths.documents;
  const name = nameOf(form, generation);
  return {
    merged: join(all, name),
    past: othersThan(paths, form, [name, inPlace(paths, form) ?? '']),
    served: placeOf(paths, form),
    services,
    pieces: piecesOf(paths, form),
  };
}

function piecesOf({ documents }: GatewayPaths, form: DocumentForm): string | null {
  return form === 'lists' ? documents.pieces : null;
}

function placeOf({ documents }: GatewayPaths, form: DocumentForm): string {
  return form === 'whole' ? documents.current : documents.lists;
}

function otherThan(form: DocumentForm): DocumentForm {
  return form === 'whole' ? 'lists' : 'whole';
}

function nameOf(form: DocumentForm, generation: number | ''): string {
  return form === 'whole' ? `generation-${generation}` : `lists-${generation}`;
}
