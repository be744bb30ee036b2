import { isMcpError } from '../../specs/errors.ts';
import type { GoodDocument } from './document-files.ts';
import type { DocumentThread } from './document-thread.ts';
import type { MadeFragment } from './jobs.ts';
import type { PlannedService } from './plan-services.ts';

export type WrittenService = MadeFragment & {
  /** Equal keys are equal fragments. */
  key: string;
  /** The documents that it was made from, by version. */
  madeFrom: ReadonlyMap<string, GoodDocument>;
};

export interface WantedFragment {
  planned: PlannedService;
  /** Not empty where the service is to be shown; the first one is the one shown. */
  versions: { version: string; good: GoodDocument }[];
}

interface Entry {
  /** What the fragment was, or is being, made from. */
  key: string;
  fragment?: WrittenService;
  problem?: string;
}

/**
 * The written fragment of each service, made anew only when something it is made from changed. Until the new one is there,
 * the one before is shown.
 */
export class FragmentCache {
  readonly #thread: DocumentThread;
  readonly #changed: (service: string) => void;
  readonly #entries = new Map<string, Entry>();

  /** `changed` is called after a service's fragment was made or failed. */
  constructor(thread: DocumentThread, changed: (service: string) => void) {
    this.#thread = thread;
    this.#changed = changed;
  }

  forget(service: string): void {
    this.#entries.delete(service);
  }

  /** Tells what one service is to be shown by. */
  want(wanted: WantedFragment): void {
    const { service, route, nested, door } = wanted.planned;
    if (wanted.versions.length === 0) {
      this.#entries.delete(service);
      return;
    }
    const documents = wanted.versions.map(({ version, good }) => [version, good.digest]);
    const key = JSON.stringify([route, nested, documents, door]);
    const entry: Entry = this.#entries.get(service) ?? { key: '' };
    if (entry.key === key) return;
    entry.key = key;
    this.#entries.set(service, entry);
    void this.#make(entry, key, wanted);
  }

  get(service: string): WrittenService | undefined {
    return this.#entries.get(service)?.fragment;
  }

  /** Why the service's fragment could not be made; undefined where all is well. */
  problem(service: string): string | undefined {
    return this.#entries.get(service)?.problem;
  }

  async #make(entry: Entry, key: string, { planned, versions }: WantedFragment): Promise<void> {
    const { service, route, nested, door } = planned;
    try {
      const documents = versions.map(({ version, good }) => ({ version, document: good.document }));
      const made = await this.#thread.run({ kind: 'fragment', service, route, nested, door, versions: documents });
      if (entry.key !== key) return;
      entry.fragment = { ...made, key, madeFrom: new Map(versions.map(({ version, good }) => [version, good])) };
      entry.problem = undefined;
    } catch (error) {
      if (entry.key !== key || isMcpError(error, 'DOCUMENT_CLOSED')) return;
      entry.problem = (error as Error).message;
    }
    this.#changed(service);
  }
}
