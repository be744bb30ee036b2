/**
 * The dynamic gateway's tables on disk, for a start of nginx without daemon or registry: a snapshot of everything, and a
 * journal of the messages since. So what one change costs does not grow with what is there.
 */
import { readFileSync, statSync } from 'node:fs';
import { appendFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../registrar/clock.ts';
import { makeDirectory, replaceFileInSlices } from '../files.ts';
import type { GatewayPaths } from './paths.ts';
import { messageLines, readMessages, type TableMessage } from './table-message.ts';

/** What the tables hold, as far as the disk knows. */
export interface StoredTables {
  generation: number;
  /** Entry by prefix. */
  entries: Map<string, string>;
}

/** A journal longer than the snapshot, and than this, is merged into it; bytes. */
const longestJournal = 1_000_000;

/** Also read by nginx, in this order (nginx/lua/mcp/snapshot.lua). Messages that are not newer than what was read before count for nothing. */
function filesOf({ tables }: GatewayPaths) {
  return {
    snapshot: join(tables, 'snapshot'),
    /** The journal until a snapshot was begun that is not yet there. */
    before: join(tables, 'journal.before'),
    journal: join(tables, 'journal'),
  };
}

/** Generation 0 where there is nothing. */
export function loadTables(paths: GatewayPaths): StoredTables {
  const stored: StoredTables = { generation: -1, entries: new Map() };
  const { snapshot, before, journal } = filesOf(paths);
  for (const message of [snapshot, before, journal].flatMap((path) => readMessages(readOrEmpty(path)))) {
    if (message.generation <= stored.generation) continue;
    if (message.full) stored.entries = new Map();
    for (const prefix of message.remove) stored.entries.delete(prefix);
    for (const [prefix, entry] of message.set) stored.entries.set(prefix, entry);
    stored.generation = message.generation;
  }
  return { ...stored, generation: Math.max(0, stored.generation) };
}

/** Writes them, never synchronously: the disk may be busy. One `replace` or `append` at a time; `merge` beside them. */
export class TableStore {
  readonly #files: ReturnType<typeof filesOf>;
  readonly #clock: Clock;
  #journalBytes = 0;
  #snapshotBytes = 0;
  #merging: Promise<void> | null = null;

  constructor(paths: GatewayPaths, clock: Clock) {
    makeDirectory(paths.tables);
    this.#files = filesOf(paths);
    this.#clock = clock;
    this.#snapshotBytes = sizeOf(this.#files.snapshot);
    this.#journalBytes = sizeOf(this.#files.journal);
  }

  /** Rejects where the disk is full; then what was there before stays. */
  async replace(everything: TableMessage): Promise<void> {
    await this.#merging?.catch(() => {});
    await this.#write(everything);
    await rm(this.#files.journal, { force: true });
    this.#journalBytes = 0;
  }

  /** Rejects where the disk is full; what was torn is passed over when read. */
  async append(text: string): Promise<void> {
    await appendFile(this.#files.journal, text, { mode: 0o644 });
    this.#journalBytes += text.length;
  }

  isJournalLong(): boolean {
    return this.#merging === null && this.#journalBytes > Math.max(longestJournal, this.#snapshotBytes);
  }

  /**
   * The journal as a part of the snapshot. What is appended meanwhile is in another journal, so nobody need wait. `everything`: by the last
   * message that was appended. Rejects where the disk is full; then all is there that was there before.
   */
  merge(everything: TableMessage): Promise<void> {
    this.#merging = this.#merge(everything).finally(() => {
      this.#merging = null;
    });
    return this.#merging;
  }

  async #merge(everything: TableMessage): Promise<void> {
    const { before, journal } = this.#files;
    // One that is still there is of a merging that failed: both are older than the snapshot to be written.
    if (sizeOf(before) === 0) {
      await rename(journal, before);
      this.#journalBytes = 0;
    }
    await this.#write(everything);
  }

  async #write(everything: TableMessage): Promise<void> {
    let bytes = 0;
    const counted = function* () {
      for (const line of messageLines(everything)) {
        bytes += line.length;
        yield line;
      }
    };
    await replaceFileInSlices(this.#files.snapshot, counted(), this.#clock);
    this.#snapshotBytes = bytes;
    // From here on the messages before are older than the snapshot, and passed over.
    await rm(this.#files.before, { force: true });
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
