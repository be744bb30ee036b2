import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import type { WatchHandle, WatchNotice } from '../registry-client.ts';
import { backoffDelay } from './backoff.ts';
import {
  afterBatch,
  afterFullRead,
  depthBelow,
  type Finding,
  type Membership,
  type MembershipState,
} from './membership-state.ts';
import { isOver, orAborted, type StateSignal, stateError, stateSignal } from './state-signal.ts';
import { type Subtree, SubtreeReader } from './subtree-reader.ts';

/** The client is a session: the cache ends with it. */
export interface MembershipCacheOptions extends Subtree {
  clock: Clock;
}

/** A watch event that got lost (fault 21) is looked for after this long, in ms. */
const resyncMs = 30_000;
/** Looking for lost events rests so many times as long as it works: what changes must not wait for it. */
const resyncRest = 3;
/** A batch that more and more joined would never end. */
const mostRounds = 8;
const backoff = { initialMs: 100, maxMs: 5_000 };

/**
 * A subtree of the registry kept in memory: complete or not there, never partly filled. Every value says as of which zxid it
 * is (see membership-state.ts for why that holds). While reads fail the last value stays, and its `asOf` stands still.
 */
export class MembershipCache {
  readonly #options: MembershipCacheOptions;
  readonly #reader: SubtreeReader;
  readonly #listeners = new Set<(value: Membership, changed: ReadonlySet<string> | null) => void>();
  readonly #endListeners = new Set<(reason: unknown) => void>();
  #state: MembershipState | null = null;
  #dirty = new Set<string>();
  /** Has the batch under way read paths along; false where it takes no more. Null where none is under way. */
  #readAlong: ((paths: readonly string[]) => boolean) | null = null;
  #isJoining = false;
  #fullReadDue = true;
  /** True from a broken connection until the client said that the watch stands again. */
  #interrupted = false;
  /** Counts interruptions: a batch that began before one concludes nothing. */
  #interruptions = 0;
  #wake = Promise.withResolvers<void>();
  #refreshes: { resolve: () => void; reject: (reason: unknown) => void }[] = [];
  #life: StateSignal | null = null;
  #handle: WatchHandle | null = null;
  readonly #first = Promise.withResolvers<void>();

  constructor(options: MembershipCacheOptions) {
    this.#options = options;
    this.#reader = new SubtreeReader(options);
  }

  /** The latest complete membership; null before the first and after the end. */
  current(): Membership | null {
    return this.#state?.value ?? null;
  }

  /**
   * Calls the listener with each new value (other nodes, or only a later `asOf`) and the paths at which it differs from the
   * one before, or null where anything may. If it throws, the cache ends with that error. Returns the unsubscriber.
   */
  onChange(listener: (value: Membership, changed: ReadonlySet<string> | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listener once, with the reason, when the cache has ended: its session is over, or its signal aborted. */
  onEnd(listener: (reason: unknown) => void): () => void {
    this.#endListeners.add(listener);
    return () => this.#endListeners.delete(listener);
  }

  /**
   * Starts watching until `signal` aborts or the session ends; resolves once there is a complete value. Rejects where the
   * cache ended before that, or the first reads failed with an error that no retry helps. To be called once.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { client } = this.#options;
    const life = stateSignal(client, (state) => !isOver(state), signal);
    this.#life = life;
    const stopLooking = client.onState((state) => {
      if (state === 'suspended') this.#interrupt();
    });
    const end = () => {
      stopLooking();
      life.dispose();
      this.#end(life.signal.reason);
    };
    if (life.signal.aborted) end();
    else life.signal.addEventListener('abort', end, { once: true });
    void this.#follow(life);
    await orAborted(this.#first.promise, life.signal);
    void this.#resync(life.signal);
  }

  /** Resolves once the value reflects everything that was committed when this was called. Rejects when the cache ends. */
  async refresh(): Promise<void> {
    const { client, root } = this.#options;
    const signal = this.#life?.signal ?? AbortSignal.abort(stateError('closed'));
    await orAborted(client.sync(root, { signal }), signal);
    signal.throwIfAborted();
    const done = Promise.withResolvers<void>();
    this.#refreshes.push(done);
    this.#wake.resolve();
    await done.promise;
  }

  #note(notice: WatchNotice): void {
    if (notice.kind === 'lost') {
      this.#life?.abort(stateError('expired'));
      return;
    }
    if (notice.kind === 'resync') {
      this.#interrupt();
      this.#interrupted = false;
    } else {
      const depth = depthBelow(this.#options.root, notice.path);
      if (depth === null || depth > this.#options.depth) return;
      this.#dirty.add(notice.path);
      this.#joinBatch();
    }
    this.#wake.resolve();
  }

  /**
   * Has what became dirty read by the batch under way, once all that came with it is noted: what one transaction changed comes as
   * several events, and each may come alone.
   */
  #joinBatch(): void {
    if (this.#readAlong === null || this.#isJoining) return;
    this.#isJoining = true;
    queueMicrotask(() => {
      this.#isJoining = false;
      if (!this.#fullReadDue && this.#readAlong?.([...this.#dirty])) this.#dirty.clear();
    });
  }

  #interrupt(): void {
    this.#interrupted = true;
    this.#interruptions += 1;
    this.#fullReadDue = true;
  }

  /** Watches, then reads whenever there is something to read, until the end. */
  async #follow(life: StateSignal): Promise<void> {
    const { signal } = life;
    let failures = 0;
    while (!signal.aborted) {
      try {
        this.#handle ??= await this.#watch(signal);
        if (this.#idle()) await orAborted(this.#wake.promise, signal);
        this.#wake = Promise.withResolvers();
        if (!this.#idle()) await this.#read(signal);
        failures = 0;
      } catch (error) {
        if (this.#state === null && isMcpError(error) && !error.retryable) life.abort(error);
        const wait = backoffDelay(backoff, failures, 0.5);
        failures += 1;
        await this.#options.clock.sleep(wait, signal).catch(() => {});
      }
    }
    await this.#handle?.close().catch(() => {});
  }

  async #watch(signal: AbortSignal): Promise<WatchHandle> {
    const { client, root } = this.#options;
    const handle = await client.addWatch(root, 'persistent-recursive', (notice) => this.#note(notice), { signal });
    // A watch that had to wait for the connection has missed nothing that the first read, which follows, does not show.
    this.#interrupted = client.state !== 'connected';
    return handle;
  }

  #idle(): boolean {
    if (this.#interrupted) return true;
    return !this.#fullReadDue && this.#dirty.size === 0 && this.#refreshes.length === 0;
  }

  /** Reads everything again now and then, beside the batches: what is found to differ is read by the next one. */
  async #resync(signal: AbortSignal): Promise<void> {
    const { client, clock, root } = this.#options;
    while (!signal.aborted) {
      try {
        await clock.sleep(resyncMs, signal);
        await client.sync(root, { signal });
        let begun = clock.monotonic();
        for await (const paths of this.#reader.differences(() => this.#known(), signal)) {
          if (paths.length > 0) this.#readSoon(paths);
          const took = clock.monotonic() - begun;
          if (took > 0) await clock.sleep(took * resyncRest, signal);
          begun = clock.monotonic();
        }
        // So that `asOf` moves on, also where nothing changed.
        this.#readSoon([root]);
      } catch {
        // The end, or a lost connection, which has its own resync.
      }
    }
  }

  #known(): Membership {
    if (this.#state === null) throw stateError('closed');
    return this.#state.value;
  }

  #readSoon(paths: readonly string[]): void {
    for (const path of paths) this.#dirty.add(path);
    this.#wake.resolve();
  }

  /** One batch. What it was to read stays to be read if it fails or the connection broke meanwhile. */
  async #read(signal: AbortSignal): Promise<void> {
    const before = this.#state;
    const full = this.#fullReadDue || before === null;
    const dirty = this.#dirty;
    const refreshes = this.#refreshes;
    const interruptions = this.#interruptions;
    this.#fullReadDue = false;
    this.#dirty = new Set();
    this.#refreshes = [];
    try {
      const after = full ? await this.#readAll(before, signal) : await this.#readDirty(before, dirty, signal);
      signal.throwIfAborted();
      if (interruptions !== this.#interruptions) throw stateError('suspended');
      this.#publish(after);
      this.#first.resolve();
      for (const { resolve } of refreshes) resolve();
    } catch (error) {
      this.#fullReadDue ||= full;
      for (const path of dirty) this.#dirty.add(path);
      this.#refreshes.unshift(...refreshes);
      if (signal.aborted) this.#end(signal.reason);
      throw error;
    }
  }

  /** `dirty` grows by what is read along. */
  async #readDirty(before: MembershipState, dirty: Set<string>, signal: AbortSignal): Promise<MembershipState> {
    const { root } = this.#options;
    const found = new Map<string, Finding>();
    const rounds = [this.#readRound([...dirty], signal)];
    this.#readAlong = (paths) => {
      if (rounds.length === mostRounds) return false;
      for (const path of paths) dirty.add(path);
      rounds.push(this.#readRound(paths, signal));
      return true;
    };
    try {
      let replied = before.replied;
      for (const round of rounds) {
        const { findings, at } = await round;
        for (const [path, finding] of findings) found.set(path, finding);
        found.set(root, at.node);
        replied = at.zxid;
      }
      return afterBatch(before, found, replied, this.#dirty.size > 0 || this.#fullReadDue);
    } finally {
      this.#readAlong = null;
    }
  }

  /** Reads paths, and the root once more. */
  #readRound(paths: readonly string[], signal: AbortSignal) {
    const read = async () => {
      const { findings, ...at } = await this.#reader.withRoot(paths, signal);
      return { findings: paths.map((path, n) => [path, findings[n] ?? 'absent'] as const), at };
    };
    const round = read();
    // Where an earlier one fails nobody waits for this one.
    round.catch(() => {});
    return round;
  }

  async #readAll(before: MembershipState | null, signal: AbortSignal): Promise<MembershipState> {
    const { found, zxid } = await this.#reader.all(signal);
    return afterFullRead(before, found, zxid);
  }

  #publish(after: MembershipState): void {
    const old = this.#state?.value;
    this.#state = after;
    const { value } = after;
    if (old && old.asOf === value.asOf && old.nodes === value.nodes && old.unreadable === value.unreadable) return;
    try {
      for (const listener of this.#listeners) listener(value, after.changed);
    } catch (error) {
      this.#life?.abort(error);
    }
  }

  #end(reason: unknown): void {
    this.#state = null;
    for (const { reject } of this.#refreshes) reject(reason);
    this.#refreshes = [];
    for (const listener of this.#endListeners) listener(reason);
    this.#endListeners.clear();
  }
}
