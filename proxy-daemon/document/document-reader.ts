import { setImmediate as nextTurn } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { Clock } from '../../registrar/clock.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { inSlices } from '../in-slices.ts';
import { DocumentFiles, type GoodDocument } from './document-files.ts';
import type { DocumentThread } from './document-thread.ts';
import { type FetchLimits, fetchDocument } from './fetch-document.ts';
import type { PlannedVersion } from './plan-services.ts';
import type { PlanChange } from './service-planner.ts';

export interface ReaderOptions {
  clock: Clock;
  thread: DocumentThread;
  limits: FetchLimits;
  /** Where last good documents are kept. */
  stateDir: string;
  /** ms between two readings of a document that is well. */
  refreshMs: number;
  /** In [0, 1); spreads the readings. */
  random: () => number;
  /** Called after a reading of the service changed. */
  changed: (service: string) => void;
}

/** What is known of one service version's document. */
export interface Reading {
  good?: GoodDocument;
  /** Why it could not be read last time; empty where all is well. */
  problem: string;
  /** True where `good` is no longer what the instances serve, as far as can be told. */
  stale: boolean;
}

interface Entry extends Reading {
  planned: PlannedVersion;
  /** The next of `planned.places` to ask. */
  turn: number;
  failures: number;
  /** `clock.monotonic()` from which it is to be read again; never while it is read, unless something new is told of it meanwhile. */
  dueAt: number;
  /** It is no entry any more: who still has it leaves it alone. */
  isGone: boolean;
  /** What was kept of it from before this process has been asked for. */
  isLoaded: boolean;
  busy: boolean;
  /** The bytes that failed last, so that the same ones are not worked on again. */
  refused?: { digest: string; error: McpError };
}

/** One hanging document holds one of these places for at most the time limit, and those that failed wait behind the others. */
const readingAtOnce = 32;
/** Why a sleep ends early: made once, for an AbortController makes an error of its own for each. */
const woken = new Error('there is something to be read');
/** A passing fault is not news: only from this many failures in a row on is a document stale. */
const failuresToStale = 2;

/**
 * Keeps the documents of all live service versions read: at once when a version or its instances change, then every
 * `refreshMs`; after a failure sooner, from another instance, with growing waits. Keeps the last good one of each.
 */
export class DocumentReader {
  readonly #options: ReaderOptions;
  readonly #files: DocumentFiles;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new PQueue({ concurrency: readingAtOnce });
  /** The start of the read that was taken up last: one starts in a turn of the event loop. */
  #lastStart: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  #wake = new AbortController();
  /** New, or moved, since they were looked at last. */
  #told = new Set<Entry>();
  /** `clock.monotonic()` at which it will be looked at all of them; while that is done, never. */
  #nextLook = 0;
  #maxBytes: number;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#maxBytes = options.limits.maxBytes;
    this.#files = new DocumentFiles(options.stateDir);
    this.#loop = this.#run();
  }

  /**
   * Tells which services are planned otherwise than `before`, where `planned` is what they are planned as now. Versions that are gone
   * are forgotten (their files stay for a while). `maxBytes`: instead of the limits' own.
   */
  update({ planned, before }: Pick<PlanChange, 'planned' | 'before'>, maxBytes = this.#options.limits.maxBytes): void {
    this.#maxBytes = maxBytes;
    const versions = planned.flatMap((service) => service.versions);
    const keys = new Set(versions.map(keyOf));
    for (const version of before.flatMap((service) => service.versions)) {
      if (!keys.has(keyOf(version))) this.#forget(keyOf(version));
    }
    for (const version of versions) this.#plan(version);
    if (this.#told.size > 0) this.#wake.abort(woken);
  }

  reading(service: string, version: string): Reading | undefined {
    return this.#entries.get(keyOf({ service, version }));
  }

  async close(): Promise<void> {
    this.#closing.abort(new McpError('DOCUMENT_CLOSED', 'the document source is closed'));
    this.#queue.clear();
    await this.#loop;
    await this.#queue.onIdle();
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry) entry.isGone = true;
    this.#entries.delete(key);
  }

  #plan(planned: PlannedVersion): void {
    const key = keyOf(planned);
    const known = this.#entries.get(key);
    const now = this.#options.clock.monotonic();
    if (known?.planned === planned) return;
    if (known) {
      const moved = JSON.stringify(known.planned.places) !== JSON.stringify(planned.places);
      known.planned = planned;
      if (moved) {
        known.dueAt = now;
        known.failures = 0;
        this.#told.add(known);
      }
      return;
    }
    const entry: Entry = {
      ...{ planned, turn: 0, failures: 0, dueAt: now, isGone: false, isLoaded: false, busy: false },
      ...{ problem: 'not read yet', stale: true },
    };
    this.#entries.set(key, entry);
    this.#told.add(entry);
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const closing = this.#closing.signal;
    await this.#files.open(clock.now());
    while (!closing.aborted) {
      this.#wake = new AbortController();
      if (clock.monotonic() >= this.#nextLook) {
        this.#nextLook = Number.POSITIVE_INFINITY;
        this.#lookBy(await inSlices(this.#startDue(this.#entries.values()), clock));
      }
      if (this.#told.size > 0) {
        const told = this.#told;
        this.#told = new Set();
        this.#lookBy(await inSlices(this.#startDue(told), clock));
      }
      const wait = Math.max(1, this.#nextLook - clock.monotonic());
      await clock.sleep(wait, AbortSignal.any([closing, this.#wake.signal])).catch(() => {});
    }
  }

  #lookBy(time: number): void {
    this.#nextLook = Math.min(this.#nextLook, time);
  }

  /** Starts what is to be read now of these. Gives when the next one of them is. Thousands may be new at once. */
  *#startDue(entries: Iterable<Entry>): Generator<void, number> {
    const now = this.#options.clock.monotonic();
    let next = now + this.#options.refreshMs;
    for (const entry of entries) {
      if (entry.isGone) continue;
      if (!entry.isLoaded) void this.#load(entry);
      if (!entry.busy && entry.dueAt <= now) this.#start(entry);
      else if (!entry.busy) next = Math.min(next, entry.dueAt);
      yield;
    }
    return next;
  }

  async #load(entry: Entry): Promise<void> {
    const { planned } = entry;
    entry.isLoaded = true;
    const good = await this.#files.load(planned.service, planned.version);
    if (!good || entry.good || entry.isGone) return;
    entry.good = good;
    this.#options.changed(planned.service);
  }

  #start(entry: Entry): void {
    entry.busy = true;
    const work = () => this.#read(entry).finally(() => this.#finish(entry));
    void this.#queue.add(work, { priority: -Math.min(entry.failures, 10) }).catch(() => {});
  }

  #finish(entry: Entry): void {
    entry.busy = false;
    const { clock, random, refreshMs } = this.#options;
    const wait = entry.failures === 0 ? refreshMs : Math.min(refreshMs, 500 * 2 ** (entry.failures - 1));
    if (entry.dueAt === Number.POSITIVE_INFINITY) entry.dueAt = clock.monotonic() + wait * (0.75 + random() / 2);
    // A thousand that were read are no reason to look a thousand times at all of them.
    if (entry.dueAt >= this.#nextLook) return;
    this.#nextLook = entry.dueAt;
    this.#wake.abort(woken);
  }

  async #read(entry: Entry): Promise<void> {
    const { clock, thread, limits } = this.#options;
    // Connecting to many at once, and hearing from them at once, holds up everything else.
    this.#lastStart = this.#lastStart.then(() => nextTurn());
    await this.#lastStart;
    entry.dueAt = Number.POSITIVE_INFINITY;
    const { planned } = entry;
    const place = planned.places[entry.turn++ % planned.places.length];
    if (this.#closing.signal.aborted || !place) return;
    try {
      const fetched = await fetchDocument(place, { ...limits, maxBytes: this.#maxBytes }, this.#closing.signal);
      const now = clock.now();
      if (entry.good?.digest === fetched.digest) {
        entry.good.confirmedAt = now;
      } else {
        if (entry.refused?.digest === fetched.digest) throw entry.refused.error;
        const { document, notes } = await this.#normalise(entry, thread, fetched);
        const at = place.address.includes(':') ? `[${place.address}]` : place.address;
        entry.good = {
          digest: fetched.digest,
          from: `${at}:${place.port}${place.path}`,
          readAt: now,
          confirmedAt: now,
          notes,
          document,
        };
      }
      this.#succeed(entry);
      await this.#files.save(planned.service, planned.version, entry.good).catch(() => {});
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#fail(entry, error);
    }
  }

  async #normalise(entry: Entry, thread: DocumentThread, fetched: { bytes: Uint8Array; digest: string }) {
    try {
      return await thread.run({ kind: 'normalise', bytes: fetched.bytes });
    } catch (error) {
      if (isMcpError(error) && error.code !== 'DOCUMENT_CLOSED') entry.refused = { digest: fetched.digest, error };
      throw error;
    }
  }

  #succeed(entry: Entry): void {
    entry.failures = 0;
    entry.problem = '';
    entry.stale = false;
    entry.refused = undefined;
    this.#options.changed(entry.planned.service);
  }

  #fail(entry: Entry, error: unknown): void {
    entry.failures++;
    const passing = isMcpError(error) && error.retryable && entry.failures < failuresToStale;
    if (entry.good && passing) return;
    entry.problem = isMcpError(error) ? `${error.code}: ${error.message}` : (error as Error).message;
    entry.stale = true;
    this.#options.changed(entry.planned.service);
  }
}

function keyOf({ service, version }: { service: string; version: string }): string {
  return `${service}@${version}`;
}
