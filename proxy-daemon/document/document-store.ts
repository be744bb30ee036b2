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
import { inSlices } from '../in-slices.ts';
import { ServiceDescriptions, toldPart } from './describe-service.ts';
import { describedServices, describedWith, nothingDescribed } from './described-services.ts';
import { formNumber, type GoodDocument } from './document-files.ts';
import { DocumentReader } from './document-reader.ts';
import { DocumentThread } from './document-thread.ts';
import { defaultLimits, type FetchLimits } from './fetch-document.ts';
import { FragmentCache } from './fragment-cache.ts';
import { PartsTold } from './parts-held.ts';
import { listsForm } from './piece-list.ts';
import type { PlannedService } from './plan-services.ts';
import type { ServicePart } from './service-part.ts';
import { type PlanChange, ServicePlanner } from './service-planner.ts';

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
  /** What the thread that writes was told. */
  readonly #told = new PartsTold();
  #writes: Promise<unknown> = Promise.resolve();
  /** Started by the first mirrored answer. */
  readonly #comparing = new DocumentThread({ timeoutMs: 3000, heapMb: 128 });
  readonly #reader: DocumentReader;
  readonly #fragments: FragmentCache;
  readonly #descriptions = new ServiceDescriptions();
  /** What is said of those in the plan. */
  #described = nothingDescribed;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #planner = new ServicePlanner();
  /** What update() was told last, until it is planned. */
  #asked: { targets: readonly DocumentTarget[]; info: DocumentInfo } | null = null;
  #planning: Promise<void> | undefined;
  #info: DocumentInfo = { title: 'APIs behind this gateway', description: '' };
  #clashing: DocumentSourceState[] = [];
  #clashingParts: ServicePart[] = [];
  #current: MergedDocument;
  /** Services of which something changed that is not in the document yet. */
  #dirty = new Set<string>();
  /** What is said of all, changed. */
  #hasNewInfo = false;
  /** Services that are gone, and what is said of those that are not shown. */
  #hasNewPlan = false;
  #publishing: Promise<void> | undefined;

  constructor(options: DocumentStoreOptions) {
    this.#clock = options.clock;
    this.#gapMs = options.gapMs ?? 50;
    const changed = (service: string) => this.#touch(service);
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
    this.#current = { digest: '', operations: 0, sources: [], write: this.#writer('', []) };
  }

  update(targets: readonly DocumentTarget[], info: DocumentInfo): void {
    if (this.#closing.signal.aborted) return;
    this.#asked = { targets, info };
    this.#planning ??= this.#planAll();
  }

  async #planAll(): Promise<void> {
    while (this.#asked !== null && !this.#closing.signal.aborted) {
      const { targets, info } = this.#asked;
      this.#asked = null;
      this.#takeUp(await inSlices(this.#plan(targets, info), this.#clock), info);
    }
    this.#planning = undefined;
  }

  *#plan(targets: readonly DocumentTarget[], info: DocumentInfo): Generator<void, PlanChange> {
    const change = yield* this.#planner.update(targets, info.doors);
    // Not when the first document has been read: then there is much else to do.
    if (change.planned.length > 0 && this.#reading.prepare()) yield;
    return change;
  }

  #takeUp({ planned, before, clashingChanged }: PlanChange, info: DocumentInfo): void {
    if (this.#closing.signal.aborted) return;
    const { title, description, maxBytes } = this.#info;
    const isSameInfo = info.title === title && info.description === description && info.maxBytes === maxBytes;
    if (isSameInfo && !clashingChanged && planned.length === 0 && before.length === 0) return;
    this.#info = info;
    if (clashingChanged) this.#sayClashing();
    this.#reader.update({ planned, before }, info.maxBytes);
    const gone = before.filter(({ service }) => this.#planner.planned(service) === undefined);
    for (const { service } of gone) {
      this.#fragments.forget(service);
      this.#descriptions.forget(service);
    }
    this.#hasNewInfo ||= !isSameInfo;
    this.#hasNewPlan ||= clashingChanged || gone.length > 0;
    this.#touch(...planned.map(({ service }) => service));
  }

  #sayClashing(): void {
    const { clashing } = this.#planner.plan;
    this.#clashing = clashing.map(({ service, version, reason }) => ({
      ...{ service, version, state: 'missing', problem: reason },
    }));
    this.#clashingParts = clashing.length === 0 ? [] : [toldPart('', { sources: [], leftOut: clashing })];
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
    const route = this.#planner.planned(service)?.route ?? '/';
    const { digest, document } = this.#reader.reading(service, version)?.good ?? {};
    const declared = digest !== undefined && document !== undefined ? { digest, document } : null;
    return this.#comparing.run({ kind: 'answers', pair, route, declared });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#listeners.clear();
    const threads = [this.#reading, this.#making, this.#writing, this.#comparing];
    await Promise.all([...threads.map((thread) => thread.close()), this.#reader.close()]);
    await this.#planning;
    await this.#publishing;
  }

  #touch(...services: string[]): void {
    for (const service of services) this.#dirty.add(service);
    this.#publishing ??= this.#publishAll().finally(() => {
      this.#publishing = undefined;
      if (this.#isBehind() && !this.#closing.signal.aborted) this.#touch();
    });
  }

  #isBehind(): boolean {
    return this.#hasNewInfo || this.#hasNewPlan || this.#dirty.size > 0;
  }

  async #publishAll(): Promise<void> {
    const { signal } = this.#closing;
    // What one call stack changes, and what comes within the gap after it, is one document.
    await Promise.resolve();
    while (this.#isBehind() && !signal.aborted) {
      await this.#publish();
      await this.#clock.sleep(this.#gapMs, signal).catch(() => {});
    }
  }

  /** Looks at what changed, and tells of a new document where that makes one. */
  async #publish(): Promise<void> {
    const [dirty, hasNewPlan, hasNewInfo] = [this.#dirty, this.#hasNewPlan, this.#hasNewInfo];
    this.#dirty = new Set();
    this.#hasNewPlan = false;
    this.#hasNewInfo = false;
    const hasNewStates = (await inSlices(this.#describe(dirty), this.#clock)) || hasNewPlan;
    if (!hasNewStates && !hasNewInfo) return;
    const said = (service: string) => this.#descriptions.get(service);
    const known = hasNewPlan ? null : describedWith(this.#described, dirty, said);
    this.#described = known ?? describedServices(this.#planner.plan.services, said);
    const before = this.#current.digest;
    this.#current = this.#made();
    if (!hasNewStates && before === this.#current.digest) return;
    for (const listener of this.#listeners) listener();
  }

  /** Works out what is said of the services. True where that is something else than before. */
  *#describe(services: Iterable<string>): Generator<void, boolean> {
    const reading = (service: string, version: string) => this.#reader.reading(service, version);
    let hasNews = false;
    for (const service of services) {
      const planned = this.#planner.planned(service);
      if (planned === undefined) continue;
      this.#fragments.want({ planned, versions: this.#readable(planned) });
      hasNews = this.#descriptions.describe(planned, this.#fragments, reading) || hasNews;
      yield;
    }
    return hasNews;
  }

  #made(): MergedDocument {
    const { title, description } = this.#info;
    const [clashing, clashingParts] = [this.#clashing, this.#clashingParts];
    const { all: described, parts, digests, operations } = this.#described;
    const head = JSON.stringify([formNumber, listsForm, title, description]);
    const digest = sha256([head, ...clashingParts.map((part) => part.digest), ...digests].join(' '));
    let sources: DocumentSourceState[] | undefined;
    return {
      digest,
      operations,
      // Of thousands of services, and not asked for at each change.
      get sources() {
        sources ??= [...clashing, ...described.flatMap(({ states }) => states)];
        return sources;
      },
      write: this.#writer(digest, [...clashingParts, ...parts]),
    };
  }

  #writer(digest: string, parts: readonly ServicePart[]): MergedDocument['write'] {
    const { title, description } = this.#info;
    return (to, generation) => {
      const write = async () => {
        const head = { generation, title, description };
        const told = () => ({
          ...{ kind: 'publish' as const, to, digest, head, parts: this.#told.update(parts) },
          ...{ now: this.#clock.now(), monotonic: this.#clock.monotonic() },
        });
        try {
          if (await this.#writing.run(told())) return;
          // A thread that was started anew knows nothing.
          this.#told.forget();
          await this.#writing.run(told());
        } catch (error) {
          this.#told.forget();
          throw error;
        }
      };
      // One after the other: each says what changed since the one before.
      const written = this.#writes.then(write);
      this.#writes = written.catch(() => {});
      return written;
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
