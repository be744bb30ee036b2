/**
 * The dynamic gateway's tables on disk, for a start of nginx without daemon or registry: a snapshot of everything, and a
 * journal of the messages since. So what one change costs does not grow with what is there.
 */
import { appendFileSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory, replaceFile } from '../files.ts';
import type { GatewayPaths } from './paths.ts';
import { messageText, readMessages, type TableMessage } from './table-message.ts';

/** What the tables hold, as far as the disk knows. */
export interface StoredTables {
  generation: number;
  /** Entry by prefix. */
  entries: Map<string, string>;
}

/** A journal longer than the snapshot, and than this, is merged into it; bytes. */
const longestJournal = 1_000_000;

export class TableStore {
  readonly #snapshot: string;
  readonly #journal: string;
  #journalBytes = 0;
  #snapshotBytes = 0;

  constructor(paths: GatewayPaths) {
    makeDirectory(paths.tables);
    this.#snapshot = join(paths.tables, 'snapshot');
    this.#journal = join(paths.tables, 'journal');
    this.#snapshotBytes = sizeOf(this.#snapshot);
    this.#journalBytes = sizeOf(this.#journal);
  }

  /** Generation 0 where there is nothing. */
  load(): StoredTables {
    const stored: StoredTables = { generation: -1, entries: new Map() };
    for (const message of [...readMessages(readOrEmpty(this.#snapshot)), ...readMessages(readOrEmpty(this.#journal))]) {
      if (message.generation <= stored.generation) continue;
      if (message.full) stored.entries = new Map();
      for (const prefix of message.remove) stored.entries.delete(prefix);
      for (const [prefix, entry] of message.set) stored.entries.set(prefix, entry);
      stored.generation = message.generation;
    }
    return { ...stored, generation: Math.max(0, stored.generation) };
  }

  /** Throws where the disk is full; then what was there before stays. */
  replace(everything: TableMessage): void {
    const text = messageText(everything);
    replaceFile(this.#snapshot, text);
    // Between these two the journal's messages are older than the snapshot, and passed over.
    rmSync(this.#journal, { force: true });
    this.#snapshotBytes = text.length;
    this.#journalBytes = 0;
  }

  /** Throws where the disk is full; what was torn is passed over when read. */
  append(text: string): void {
    appendFileSync(this.#journal, text, { mode: 0o644 });
    this.#journalBytes += text.length;
  }

  isJournalLong(): boolean {
    return this.#journalBytes > Math.max(longestJournal, this.#snapshotBytes);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
