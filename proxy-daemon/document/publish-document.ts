import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
import { type ServicePart, wholeForms } from './service-part.ts';
import { modifiedAt } from './write-document.ts';
import { ListWriter } from './write-lists.ts';
import { WholeWriter, writeService } from './write-whole.ts';

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
const writers = new Map<string, FolderWriter>();

/** Writes all files of a document. False: all parts must be sent, not only what changed. Blocks: for a thread. Throws GATEWAY_DISK. */
export function publishDocument({ to, digest, head, parts, now, monotonic }: PublishJob): boolean {
  if (!held.update(parts)) return false;
  const place = `${to.services} ${to.pieces}`;
  const writer = writers.get(place) ?? new FolderWriter(to);
  writers.set(place, writer);
  try {
    writer.write(to, digest, head, held, now, monotonic);
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

/** What one gateway's folders hold, as far as this thread wrote it. */
class FolderWriter {
  readonly #services = new Map<string, string>();
  readonly #whole = new WholeWriter();
  readonly #files: PieceFiles | null;
  readonly #lists: ListWriter | null;
  /** The document written last. */
  #written: Written = { digest: '', modified: 0, names: new Set() };
  #hasLooked = false;
  /** Of the updates of the parts, those that the services' own files are made by. */
  #seen = 0;

  constructor({ pieces }: DocumentFolders) {
    this.#files = pieces === null ? null : new PieceFiles(pieces);
    this.#lists = this.#files && new ListWriter(this.#files);
  }

  write(to: DocumentFolders, digest: string, head: Head, held: PartsHeld, now: number, monotonic: number): void {
    const groups = held.groups();
    this.#writeServices(to.services, held, now);
    for (const one of [...to.past, to.merged]) rmSync(one, { recursive: true, force: true });
    const before = servedDigest(to) === this.#written.digest ? this.#written : writtenIn(to);
    // What comes after what is served must be younger.
    const modified = Math.max(Math.floor(now / 1000), before.modified + 1);
    const names = this.#writeMerged(to.merged, digest, head, groups, modified * 1000, monotonic);
    // What is served until the new lists are in their place is in use as well.
    this.#files?.tidy(new Set([...names, ...before.names]), monotonic);
    this.#written = { digest, modified, names };
  }

  /** Gives the names of the pieces. */
  #writeMerged(
    merged: string,
    digest: string,
    head: Head,
    groups: readonly PartGroup[],
    at: number,
    monotonic: number,
  ): ReadonlySet<string> {
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

  /** Each service's own files, and away with those of services that are gone. */
  #writeServices(dir: string, held: PartsHeld, now: number): void {
    if (!this.#hasLooked) {
      makeDirectory(dir);
      for (const name of readdirSync(dir)) this.#services.set(name, '');
      this.#hasLooked = true;
    }
    const { changed, gone } = held.changesSince(this.#seen) ?? { changed: held.all(), gone: this.#goneBy(held.all()) };
    for (const part of changed) this.#writeService(dir, part, now);
    for (const service of gone) this.#removeService(dir, service);
    this.#seen = held.count();
  }

  #goneBy(parts: readonly ServicePart[]): string[] {
    const there = new Set(parts.map(({ service }) => service));
    return [...this.#services.keys()].filter((service) => !there.has(service));
  }

  #writeService(dir: string, part: ServicePart, now: number): void {
    const { service, digest, shown } = part;
    if (shown === null) this.#removeService(dir, service);
    if (shown === null || this.#services.get(service) === digest) return;
    const folder = join(dir, service);
    makeDirectory(folder);
    writeService(folder, { title: shown.title, description: '' }, part, now);
    this.#services.set(service, digest);
  }

  #removeService(dir: string, service: string): void {
    if (!this.#services.has(service)) return;
    rmSync(join(dir, service), { recursive: true, force: true });
    this.#services.delete(service);
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
