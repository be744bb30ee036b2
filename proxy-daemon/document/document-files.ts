import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { sha256 } from '../../specs/digest.ts';
import { isObject } from './json.ts';

/** A service version's document as it was read and normalised. Times are ms since the Unix epoch. */
export interface GoodDocument {
  /** sha256 of the bytes as read, hex. */
  digest: string;
  /** `address:port/path` */
  from: string;
  /** When these bytes were first read. */
  readAt: number;
  /** When the same bytes were read last. */
  confirmedAt: number;
  /** What was repaired in it. */
  notes: string[];
  /** Normalised JSON. */
  document: Uint8Array;
}

/** Raise it whenever normalising or merging changes: what older code wrote is then made anew instead of used. */
export const formNumber = 2;
/** How long a document is kept after its service version was last written, ms. */
const keepMs = 7 * 24 * 3_600_000;
/** A gateway that starts reads those of all services, and other work comes between. */
const loadingAtOnce = 4;

/**
 * Last good documents on disk, one file each, so that a gateway that starts while services hang still shows them. A file
 * that can't be used is as good as none; a write that fails costs only the next cold start. A file's first line says what is known
 * of the document, the rest is the document: the event loop never parses it.
 */
export class DocumentFiles {
  readonly #dir: string;
  readonly #loading = new PQueue({ concurrency: loadingAtOnce });
  /** Names of the files that there are: opening a thousand that are not there takes tens of milliseconds. */
  #names = new Set<string>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Of files that were there when open() was called, or saved since. */
  async load(service: string, version: string): Promise<GoodDocument | undefined> {
    const name = nameOf(service, version);
    if (!this.#names.has(name)) return undefined;
    return this.#loading.add(async () => goodDocument(await readFile(join(this.#dir, name)))).catch(() => undefined);
  }

  /** Atomic: a reader finds the old file or the new one. Rejects with what the file system says. */
  async save(service: string, version: string, good: GoodDocument): Promise<void> {
    const name = nameOf(service, version);
    const path = join(this.#dir, name);
    const { document, ...rest } = good;
    const head = JSON.stringify({ format: formNumber, service, version, ...rest, sum: sha256(document) });
    const write = () => writeFile(`${path}.new`, Buffer.concat([Buffer.from(`${head}\n`), document]));
    await write().catch(async () => {
      await mkdir(this.#dir, { recursive: true });
      await write();
    });
    await rename(`${path}.new`, path);
    this.#names.add(name);
  }

  /** Looks which files there are, and removes those not written for a week. */
  async open(now: number): Promise<void> {
    const names = new Set(await readdir(this.#dir).catch(() => []));
    this.#names = names;
    for (const name of names) {
      const path = join(this.#dir, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
      if (now - mtimeMs <= keepMs) continue;
      names.delete(name);
      await rm(path, { force: true });
    }
  }
}

function nameOf(service: string, version: string): string {
  return `${encodeURIComponent(service)}@${encodeURIComponent(version)}.json`;
}

/** What a file holds; undefined where that is not what was written. Throws where it is no such file at all. */
function goodDocument(bytes: Buffer): GoodDocument | undefined {
  const end = bytes.indexOf('\n');
  const document = bytes.subarray(end + 1);
  const head: unknown = JSON.parse(bytes.toString('utf8', 0, Math.max(0, end)));
  if (!isObject(head) || head.format !== formNumber || head.sum !== sha256(document)) return undefined;
  const { digest, from, readAt, confirmedAt, notes } = head;
  if (typeof digest !== 'string' || typeof from !== 'string') return undefined;
  if (typeof readAt !== 'number' || typeof confirmedAt !== 'number' || !Array.isArray(notes)) return undefined;
  return { digest, from, readAt, confirmedAt, notes: notes.map(String), document };
}
