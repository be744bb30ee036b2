import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { DocumentFolders } from '../document-source.ts';
import { makeDirectory } from '../files.ts';
import type { Head } from './merge.ts';
import type { PartGroup } from './part-groups.ts';
import { PartsHeld, type PartsUpdate } from './parts-held.ts';
import { PieceFiles } from './piece-files.ts';
import { readLists } from './piece-list.ts';
import { digestFile, servedDigest } from './served-digest.ts';
import { ServiceFolders } from './service-folders.ts';
import { wholeForms } from './service-part.ts';
import { modifiedAt } from './write-document.ts';
import { ListWriter } from './write-lists.ts';
import { WholeWriter } from './write-whole.ts';

export interface PublishJob {
  kind: 'publish';
  to: DocumentFolders;
  digest: string;
  head: Head;
  parts: PartsUpdate;
  /** ms since the Unix epoch. */
  now: number;
  /** ms, of the monotonic clock. */
  monotonic: number;
}

/** What this thread knows: most of a document stays as it was. */
const held = new PartsHeld();
const serviceFolders = new Map<string, ServiceFolders>();
const mergedWriters = new Map<string, MergedWriter>();

/** Writes all files of a document. False: all parts must be sent, not only what changed. Blocks: for a thread. Throws GATEWAY_DISK. */
export function publishDocument(job: PublishJob): boolean {
  if (!held.update(job.parts)) return false;
  const { to, now } = job;
  const folders = serviceFolders.get(to.services) ?? new ServiceFolders(to.services);
  serviceFolders.set(to.services, folders);
  const writer = mergedWriters.get(to.served) ?? new MergedWriter(to);
  mergedWriters.set(to.served, writer);
  try {
    folders.write(held, now);
    writer.write(job, held.groups());
  } catch (cause) {
    throw new McpError('GATEWAY_DISK', `the documents can't be written: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
      retryable: true,
      hint: 'The last good ones stay. Is the disk full?',
    });
  }
  return true;
}

interface Written {
  digest: string;
  /** s since the Unix epoch; 0 where nothing was. */
  modified: number;
  /** Of the pieces in its lists. */
  names: ReadonlySet<string>;
}

/** One gateway's merged document in one form, as far as this thread wrote it. */
class MergedWriter {
  readonly #whole = new WholeWriter();
  readonly #files: PieceFiles | null;
  readonly #lists: ListWriter | null;
  /** The document written last. */
  #written: Written = { digest: '', modified: 0, names: new Set() };

  constructor({ pieces }: DocumentFolders) {
    this.#files = pieces === null ? null : new PieceFiles(pieces);
    this.#lists = this.#files && new ListWriter(this.#files);
  }

  write(job: PublishJob, groups: readonly PartGroup[]): void {
    const { to, digest, now, monotonic } = job;
    for (const one of [...to.past, to.merged]) rmSync(one, { recursive: true, force: true });
    const before = servedDigest(to) === this.#written.digest ? this.#written : writtenIn(to);
    // What comes after what is served must be younger.
    const modified = Math.max(Math.floor(now / 1000), before.modified + 1);
    const names = this.#writeForm(job, groups, modified * 1000);
    // What is served until the new lists are in their place is in use as well.
    this.#files?.tidy(new Set([...names, ...before.names]), monotonic);
    this.#written = { digest, modified, names };
  }

  /** Gives the names of the pieces. */
  #writeForm(job: PublishJob, groups: readonly PartGroup[], at: number): ReadonlySet<string> {
    const { digest, head, monotonic } = job;
    const { merged } = job.to;
    if (this.#files === null || this.#lists === null) {
      makeDirectory(merged);
      this.#whole.write(merged, head, groups, at);
      writeFileSync(join(merged, digestFile), digest);
      return new Set();
    }
    makeDirectory(dirname(merged));
    this.#files.look(monotonic);
    return this.#lists.write(merged, digest, head, groups, at);
  }
}

/** A document that this process has not written. */
function writtenIn({ served, pieces }: DocumentFolders): Written {
  if (pieces === null) {
    const times = wholeForms.map(({ file }) => modifiedAt(join(served, file)));
    return { digest: servedDigest({ served, pieces }) ?? '', modified: Math.max(...times), names: new Set() };
  }
  const { digest, lists } = readLists(readOrEmpty(served)) ?? { digest: '', lists: [] };
  return {
    digest,
    modified: Math.max(0, ...lists.map((list) => list.modified)),
    names: new Set(lists.flatMap(({ ranges }) => ranges.map(({ name }) => name))),
  };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
