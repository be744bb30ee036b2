import type { Clock } from '../../registrar/clock.ts';
import { sha256 } from '../../specs/digest.ts';
import type {
  AnswerPair,
  AnswerVerdict,
  DocumentInfo,
  DocumentSource,
  DocumentSourceState,
  DocumentTarget,
  MergedDocument,
} from '../document-source.ts';
import { ServiceDescriptions } from './describe-service.ts';
import { formNumber, type GoodDocument } from './document-files.ts';
import { DocumentReader } from './document-reader.ts';
import { DocumentThread } from './document-thread.ts';
import { defaultLimits, type FetchLimits } from './fetch-document.ts';
import { FragmentCache } from './fragment-cache.ts';
import type { Head } from './merge.ts';
import { type PlannedService, planServices, type ServicePlan, withKnown } from './plan-services.ts';
import type { PublishedService } from './publish-document.ts';

export interface DocumentStoreOptions {
  clock: Clock;
  /** Folder for last good documents; made where it is missing. */
  stateDir: string;
  limits?: FetchLimits;
  /** ms between two readings of a document that is well; 60 s. */
  refreshMs?: number;
  /** Least ms between two merged documents: many changes at once make one; 50 ms. */
  gapMs?: number;
  /** In [0, 1); spreads the readings. */
  random?: () => number;
}

/**
 * The merged document, kept up to date in the background. One bad, slow or hanging document never holds up another: each
 * is read on its own, worked on in a thread under a time limit, and its last good state is shown, marked stale.
 */
export function createDocumentStore(options: DocumentStoreOptions): DocumentSource {
  return new DocumentStore(options);
}

class DocumentStore implements DocumentSource {
  readonly #clock: Clock;
  readonly #gapMs: number;
  /** Works on what services sent; kept apart, so that a document that takes long does not hold up publishing. */
  readonly #reading = new DocumentThread({ timeoutMs: 30_000 });
  readonly #making = new DocumentThread({ timeoutMs: 30_000 });
  /** Does nothing whose cost a service can choose. */
  readonly #writing = new DocumentThread({ timeoutMs: 120_000 });
  /** Started by the first mirrored answer. */
  readonly #comparing = new DocumentThread({ timeoutMs: 3000, heapMb: 128 });
  readonly #reader: DocumentReader;
  readonly #fragments: FragmentCache;
  readonly #descriptions = new ServiceDescriptions();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #plan: ServicePlan = { services: [], clashing: [] };
  #info: DocumentInfo = { title: 'APIs behind this gateway', description: '' };
  #told = '';
  #clashing: DocumentSourceState[] = [];
  #current: MergedDocument;
  #dirty = false;
  #publishing: Promise<void> | undefined;

  constructor(options: DocumentStoreOptions) {
    this.#clock = options.clock;
    this.#gapMs = options.gapMs ?? 50;
    const changed = () => this.#touch();
    this.#fragments = new FragmentCache(this.#making, changed);
    this.#reader = new DocumentReader({
      clock: options.clock,
      thread: this.#reading,
      limits: options.limits ?? defaultLimits,
      stateDir: options.stateDir,
      refreshMs: options.refreshMs ?? 60_000,
      random: options.random ?? Math.random,
      changed,
    });
    const empty = { ...this.#info, sources: [], leftOut: [] };
    this.#current = { digest: '', operations: 0, sources: [], write: this.#writer('', JSON.stringify(empty), []) };
  }

  update(targets: readonly DocumentTarget[], info: DocumentInfo): void {
    const told = JSON.stringify([targets.map((target) => JSON.stringify(target)).sort(), info]);
    if (told === this.#told || this.#closing.signal.aborted) return;
    this.#told = told;
    this.#info = info;
    this.#plan = withKnown(planServices(targets, info.doors), this.#plan);
    this.#clashing = this.#plan.clashing.map(({ service, version, reason }) => ({
      service,
      version,
      state: 'missing',
      problem: reason,
    }));
    this.#reader.update(
      this.#plan.services.flatMap(({ versions }) => versions),
      info.maxBytes,
    );
    this.#touch();
  }

  current(): MergedDocument {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  compareAnswers(pair: AnswerPair): Promise<AnswerVerdict> {
    const { service, version } = pair;
    const route = this.#plan.services.find((planned) => planned.service === service)?.route ?? '/';
    const { digest, document } = this.#reader.reading(service, version)?.good ?? {};
    const declared = digest !== undefined && document !== undefined ? { digest, document } : null;
    return this.#comparing.run({ kind: 'answers', pair, route, declared });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#listeners.clear();
    const threads = [this.#reading, this.#making, this.#writing, this.#comparing];
    await Promise.all([...threads.map((thread) => thread.close()), this.#reader.close()]);
    await this.#publishing;
  }

  #touch(): void {
    this.#dirty = true;
    this.#publishing ??= this.#publishAll().finally(() => {
      this.#publishing = undefined;
      if (this.#dirty && !this.#closing.signal.aborted) this.#touch();
    });
  }

  async #publishAll(): Promise<void> {
    const { signal } = this.#closing;
    // What one call stack changes, and what comes within the gap after it, is one document.
    await Promise.resolve();
    while (this.#dirty && !signal.aborted) {
      this.#dirty = false;
      this.#publish();
      await this.#clock.sleep(this.#gapMs, signal).catch(() => {});
    }
  }

  #publish(): void {
    const { services, clashing } = this.#plan;
    this.#fragments.want(services.map((planned) => ({ planned, versions: this.#readable(planned) })));
    const described = this.#descriptions.describe(services, this.#fragments, (service, version) =>
      this.#reader.reading(service, version),
    );
    const states = [...this.#clashing, ...described.flatMap((one) => one.states)];
    const head: Head = {
      title: this.#info.title,
      description: this.#info.description,
      sources: described.flatMap(({ notes }) => notes),
      leftOut: [...clashing, ...described.flatMap(({ leftOut }) => leftOut)],
    };
    const shown = described.flatMap(({ published }) => published ?? []);
    const about = JSON.stringify(head);
    const digest = sha256([formNumber, about, ...shown.map((service) => service.digest)].join(' '));
    const operations = described.reduce((sum, one) => sum + one.operations, 0);
    const before = this.#current;
    this.#current = { digest, operations, sources: states, write: this.#writer(digest, about, shown) };
    if (before.digest === digest && sameStates(before.sources, states)) return;
    for (const listener of this.#listeners) listener();
  }

  #writer(digest: string, head: string, services: PublishedService[]): MergedDocument['write'] {
    return async (to, generation) => {
      const now = this.#clock.now();
      await this.#writing.run({ kind: 'publish', to, digest, generation, head, services, now });
    };
  }

  /** Versions with a document to show, the main one first. */
  #readable(planned: PlannedService): { version: string; good: GoodDocument }[] {
    return planned.versions.flatMap(({ service, version }) => {
      const good = this.#reader.reading(service, version)?.good;
      return good ? [{ version, good }] : [];
    });
  }
}

/** States are made anew only where they changed. */
function sameStates(a: readonly DocumentSourceState[], b: readonly DocumentSourceState[]): boolean {
  return a.length === b.length && a.every((state, index) => state === b[index]);
}
