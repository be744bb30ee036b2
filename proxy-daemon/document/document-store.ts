import type { Clock } from '../../registrar/clock.ts';
import { isMcpError } from '../../specs/errors.ts';
import type {
  DocumentInfo,
  DocumentSource,
  DocumentSourceState,
  DocumentTarget,
  MergedDocument,
} from '../document-source.ts';
import type { GoodDocument } from './document-files.ts';
import { DocumentReader } from './document-reader.ts';
import { DocumentThread } from './document-thread.ts';
import { defaultLimits, type FetchLimits } from './fetch-document.ts';
import { FragmentCache } from './fragment-cache.ts';
import { headOf, joinJson, joinYaml, type SourceNote } from './merge.ts';
import type { LeftOut } from './namespace.ts';
import { type PlannedService, planServices, type ServicePlan } from './plan-services.ts';
import { writeYaml } from './write-fragment.ts';

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
  readonly #reading = new DocumentThread({ timeoutMs: 10_000 });
  readonly #writing = new DocumentThread({ timeoutMs: 30_000 });
  readonly #reader: DocumentReader;
  readonly #fragments: FragmentCache;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #plan: ServicePlan = { services: [], clashing: [] };
  #info: DocumentInfo = { title: 'APIs behind this gateway', description: '' };
  #told = '';
  #current: MergedDocument;
  #dirty = false;
  #publishing: Promise<void> | undefined;

  constructor(options: DocumentStoreOptions) {
    this.#clock = options.clock;
    this.#gapMs = options.gapMs ?? 50;
    const changed = () => this.#touch();
    this.#fragments = new FragmentCache(this.#writing, changed);
    this.#reader = new DocumentReader({
      clock: options.clock,
      thread: this.#reading,
      limits: options.limits ?? defaultLimits,
      stateDir: options.stateDir,
      refreshMs: options.refreshMs ?? 60_000,
      random: options.random ?? Math.random,
      changed,
    });
    const empty = { ...headOf(this.#info), paths: {} };
    this.#current = {
      json: Buffer.from(JSON.stringify(empty)),
      yaml: Buffer.from(writeYaml(empty)),
      digest: '',
      operations: 0,
      sources: [],
    };
  }

  update(targets: readonly DocumentTarget[], info: DocumentInfo): void {
    const told = JSON.stringify([targets.map((target) => JSON.stringify(target)).sort(), info]);
    if (told === this.#told || this.#closing.signal.aborted) return;
    this.#told = told;
    this.#info = info;
    this.#plan = planServices(targets);
    this.#reader.update(this.#plan.services.flatMap(({ versions }) => versions));
    this.#touch();
  }

  current(): MergedDocument {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#listeners.clear();
    await Promise.all([this.#reading.close(), this.#writing.close(), this.#reader.close()]);
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
      let gapMs = this.#gapMs;
      try {
        await this.#publish();
      } catch (error) {
        // The thread was ended: what is current stays until the next try.
        if (!isMcpError(error)) throw error;
        this.#dirty = true;
        gapMs = 1_000;
      }
      await this.#clock.sleep(gapMs, signal).catch(() => {});
    }
  }

  async #publish(): Promise<void> {
    const { services, clashing } = this.#plan;
    const wanted = services.map((planned) => ({ planned, versions: this.#readable(planned) }));
    this.#fragments.want(wanted);
    const shown = services.flatMap((planned) => {
      const fragment = this.#fragments.get(planned.service);
      return fragment ? [{ planned, fragment }] : [];
    });
    const notes: SourceNote[] = [];
    const states: DocumentSourceState[] = clashing.map(({ service, version, reason }) => ({
      service,
      version,
      state: 'missing',
      problem: reason,
    }));
    const leftOut: LeftOut[] = [...clashing, ...shown.flatMap(({ fragment }) => fragment.leftOut)];
    for (const planned of services) this.#describe(planned, notes, states, leftOut);
    const written = shown.map(({ fragment }) => fragment.json);
    const json = Buffer.concat(joinJson({ ...this.#info, sources: notes, leftOut }, written));
    const tail = {
      'x-mcp-source': notes.map((note) => ({ ...note })),
      'x-mcp-left-out': leftOut.map((out) => ({ ...out })),
    };
    const [head, end] = await Promise.all(
      [headOf(this.#info), tail].map((value) => this.#writing.run({ kind: 'yaml', value })),
    );
    const yaml = Buffer.concat(
      joinYaml(
        head?.text ?? '',
        end?.text ?? '',
        shown.map(({ fragment }) => fragment.yaml),
      ),
    );
    // Hashed by the thread pool: megabytes would hold up the event loop.
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', json)).toString('hex');
    const operations = shown.reduce((sum, { fragment }) => sum + fragment.operations, 0);
    const before = this.#current;
    this.#current = { json, yaml, digest, operations, sources: states };
    if (before.digest === digest && JSON.stringify(before.sources) === JSON.stringify(states)) return;
    for (const listener of this.#listeners) listener();
  }

  /** Versions with a document to show, the main one first. */
  #readable(planned: PlannedService): { version: string; good: GoodDocument }[] {
    return planned.versions.flatMap(({ service, version }) => {
      const good = this.#reader.reading(service, version)?.good;
      return good ? [{ version, good }] : [];
    });
  }

  #describe(planned: PlannedService, notes: SourceNote[], states: DocumentSourceState[], leftOut: LeftOut[]): void {
    const { service, route, versions } = planned;
    const failed = this.#fragments.problem(service);
    for (const { version } of versions) {
      const reading = this.#reader.reading(service, version);
      const problem = failed ?? (reading?.problem || 'not read yet');
      // What is said of a document is said of the one shown, also while a newer one is being worked on.
      const good = this.#fragments.get(service)?.madeFrom.get(version);
      if (!good || !reading) {
        states.push({ service, version, state: 'missing', problem });
        leftOut.push({ service, version, reason: `no document: ${problem}` });
        continue;
      }
      const stale = reading.stale || failed !== undefined;
      const { digest, from, readAt, confirmedAt } = good;
      const told = stale ? problem : '';
      states.push({ service, version, state: stale ? 'stale' : 'fresh', digest, readAt, from, problem: told });
      const note: SourceNote = { service, version, route, digest, from, readAt: new Date(readAt).toISOString(), stale };
      notes.push(stale ? { ...note, problem, confirmedAt: new Date(confirmedAt).toISOString() } : note);
    }
  }
}
