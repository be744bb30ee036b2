import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { DocumentFolders } from '../document-source.ts';
import { makeDirectory } from '../files.ts';
import type { Head } from './merge.ts';
import { PartsHeld, type PartsUpdate } from './parts-held.ts';
import { PieceFiles } from './piece-files.ts';
import { listSuffix, readList } from './piece-list.ts';
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

/** What one gateway's folders hold, as far as this thread wrote it. */
class FolderWriter {
  readonly #services = new Map<string, string>();
  readonly #whole = new WholeWriter();
  readonly #files: PieceFiles | null;
  readonly #lists: ListWriter | null;
  /** The document written last as lists, and the pieces in them. */
  #written: { digest: string; names: ReadonlySet<string> } = { digest: '', names: new Set() };
  #hasLooked = false;

  constructor({ pieces }: DocumentFolders) {
    this.#files = pieces === null ? null : new PieceFiles(pieces);
    this.#lists = this.#files && new ListWriter(this.#files);
  }

  write(to: DocumentFolders, digest: string, head: Head, held: PartsHeld, now: number, monotonic: number): void {
    const groups = held.groups();
    this.#writeServices(to.services, held.all(), now);
    for (const folder of [...to.past, to.merged]) rmSync(folder, { recursive: true, force: true });
    makeDirectory(to.merged);
    const at = Math.max(now, (servedAt(to.served) + 1) * 1000);
    if (this.#files === null || this.#lists === null) this.#whole.write(to.merged, head, groups, at);
    else {
      this.#files.look();
      const names = this.#lists.write(to.merged, head, groups, at);
      // What is served until the new lists are in their place is in use as well.
      const isKnown = readOrEmpty(join(to.served, 'digest')) === this.#written.digest;
      const before = isKnown ? this.#written.names : namesIn(to.served);
      this.#files.tidy(new Set([...names, ...before]), monotonic);
      this.#written = { digest, names };
    }
    writeFileSync(join(to.merged, 'digest'), digest);
  }

  /** Each service's own files, and away with those of services that are gone. */
  #writeServices(dir: string, parts: readonly ServicePart[], now: number): void {
    if (!this.#hasLooked) {
      makeDirectory(dir);
      for (const name of readdirSync(dir)) this.#services.set(name, '');
      this.#hasLooked = true;
    }
    let there = 0;
    for (const part of parts) {
      const { service, digest, shown } = part;
      if (shown === null) continue;
      there += 1;
      if (this.#services.get(service) === digest) continue;
      const folder = join(dir, service);
      makeDirectory(folder);
      writeService(folder, { title: shown.title, description: '' }, part, now);
      this.#services.set(service, digest);
    }
    if (there === this.#services.size) return;
    const shown = new Set(parts.flatMap((part) => (part.shown === null ? [] : part.service)));
    for (const service of this.#services.keys()) {
      if (shown.has(service)) continue;
      rmSync(join(dir, service), { recursive: true, force: true });
      this.#services.delete(service);
    }
  }
}

/** When what is served was written, s since the Unix epoch: what comes after it must be younger. */
function servedAt(folder: string): number {
  return Math.max(
    ...wholeForms.map(({ file }) =>
      Math.max(modifiedAt(join(folder, file)), modifiedAt(join(folder, file + listSuffix))),
    ),
  );
}

function namesIn(folder: string): Set<string> {
  const names = new Set<string>();
  for (const { file } of wholeForms) {
    for (const suffix of ['', '.gz']) {
      const list = readList(readOrEmpty(join(folder, `${file}${suffix}${listSuffix}`)));
      for (const { name } of list?.ranges ?? []) names.add(name);
    }
  }
  return names;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
