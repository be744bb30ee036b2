import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/**
 * Last good documents on disk, one file each, so that a gateway that starts while services hang still shows them. A file
 * that can't be used is as good as none; a write that fails costs only the next cold start.
 */
export class DocumentFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async load(service: string, version: string): Promise<GoodDocument | undefined> {
    try {
      const stored: unknown = JSON.parse(await readFile(this.#path(service, version), 'utf8'));
      if (!isObject(stored) || stored.format !== formNumber || !isObject(stored.document)) return undefined;
      const { digest, from, readAt, confirmedAt, notes, document } = stored;
      if (typeof digest !== 'string' || typeof from !== 'string') return undefined;
      if (typeof readAt !== 'number' || typeof confirmedAt !== 'number' || !Array.isArray(notes)) return undefined;
      return {
        digest,
        from,
        readAt,
        confirmedAt,
        notes: notes.map(String),
        document: Buffer.from(JSON.stringify(document)),
      };
    } catch {
      return undefined;
    }
  }

  /** Atomic: a reader finds the old file or the new one. Rejects with what the file system says. */
  async save(service: string, version: string, good: GoodDocument): Promise<void> {
    const path = this.#path(service, version);
    const { document, ...rest } = good;
    const head = JSON.stringify({ format: formNumber, service, version, ...rest }).slice(0, -1);
    const write = () => writeFile(`${path}.new`, `${head},"document":${Buffer.from(document).toString()}}\n`);
    await write().catch(async () => {
      await mkdir(this.#dir, { recursive: true });
      await write();
    });
    await rename(`${path}.new`, path);
  }

  /** Removes files not written for a week. */
  async prune(now: number): Promise<void> {
    for (const name of await readdir(this.#dir).catch(() => [])) {
      const path = join(this.#dir, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
      if (now - mtimeMs > keepMs) await rm(path, { force: true });
    }
  }

  #path(service: string, version: string): string {
    return join(this.#dir, `${encodeURIComponent(service)}@${encodeURIComponent(version)}.json`);
  }
}
