/** What nginx's workers count in dynamic mode, read over the admin socket: requests in flight, and figures by version. */
import type { Clock } from '../../registrar/clock.ts';
import { DrainWatch } from '../drain-watch.ts';
import type { TableUse, WatchedOperation } from '../gateway-backend.ts';
import type { Moment } from '../routes/explain/explain-instances.ts';
import { readFigures, readOwnAnswers, type TrafficReport, type WatchedCalls } from '../version-figures.ts';
import { askAdmin, numberOf } from './admin-client.ts';
import { isNginx } from './nginx-workers.ts';
import { readWatched, watchText } from './watched-operations.ts';

/** Figures are not older than this, and in-flight counts where nobody drains, ms. */
const freshMs = 2000;
/** Whoever asks how it is now gets nothing older, ms: many askers cost no more than one. */
const momentMs = 250;
/** Reading many figures holds up nginx's workers, so they are read the rarer the longer that takes, up to this, ms. */
const longestWaitMs = 10_000;
const restFactor = 20;
/** Less free than this is said before it is too late. */
const leastFree = 0.1;

export class TrafficCounts {
  readonly #socket: string;
  readonly #clock: Clock;
  readonly #watch = new DrainWatch();
  /** Workers whose requests are in no count, and the newest generation that they route by. */
  #others: { pids: readonly number[]; generation: number } = { pids: [], generation: 0 };
  #busy = new Map<string, number>();
  #down: string[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #tables: TableUse[] = [];
  #report: Omit<TrafficReport, 'gateway'> | null = null;
  #reportDue = 0;
  #asked: readonly WatchedOperation[] = [];
  /** nginx may count calls that nobody asks about any more. */
  #mayCount = true;

  constructor(socket: string, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  /** An instance gets requests from `generation` on, or gets none any more. */
  routed(key: string, isRouted: boolean, generation: number): void {
    if (isRouted) this.#watch.added(key);
    else this.#watch.removed(key, generation);
  }

  /** There are workers with requests in flight that nobody counts; as long as they live, nothing is drained. */
  others(pids: readonly number[], generation: number): void {
    this.#others = { pids, generation };
  }

  /** Takes up what is in flight at instances that a daemon before this one took out. */
  async adopt(live: ReadonlySet<string>, generation: number): Promise<void> {
    await this.#count();
    for (const key of this.#busy.keys()) if (!live.has(key)) this.#watch.removed(key, generation);
  }

  /** The oldest generation with a request in flight that `current` would not have sent there. */
  oldest(current: number): number {
    const oldest = this.#watch.oldest(current);
    return this.#hasOthers() ? Math.min(oldest, this.#others.generation - 1) : oldest;
  }

  /** Counts, where that was not done lately or somebody waits for it. Where nginx does not answer, nothing is concluded. */
  async look(): Promise<void> {
    const isDue = this.#watch.isWaiting() || this.#clock.monotonic() - this.#lookedAt > freshMs;
    if (isDue) await this.#count().catch(() => {});
  }

  /** As it is just now. Where nginx does not answer, as it was. */
  async moment(): Promise<Pick<Moment, 'inFlight' | 'down'>> {
    if (this.#clock.monotonic() - this.#lookedAt > momentMs) await this.#count().catch(() => {});
    return { inFlight: this.#busy, down: new Set(this.#down) };
  }

  /** Calls of these operations are counted from now on, and of no others. */
  watch(operations: readonly WatchedOperation[]): void {
    this.#asked = operations;
  }

  async traffic(): Promise<Omit<TrafficReport, 'gateway'> | null> {
    if (this.#clock.monotonic() < this.#reportDue) return this.#report;
    try {
      await this.#readReport();
    } catch {
      // The last one stands: it says when it was read.
    }
    return this.#report;
  }

  tables(): readonly TableUse[] {
    return this.#tables;
  }

  alarm(): string {
    const full = this.#tables.filter(({ bytes, free }) => free < bytes * leastFree);
    return full
      .map(({ name, bytes, free }) => `table ${name} is ${Math.round((1 - free / bytes) * 100)} % full`)
      .join('; ');
  }

  async #count(): Promise<void> {
    const answer = await askAdmin(this.#socket, 'GET', '/in-flight');
    const busy = new Map<string, number>();
    const dead = new Set<string>();
    for (const [word, pid = '', count = '', ...key] of answer.lines) {
      if (word !== 'in-flight') continue;
      if (!isNginx(Number(pid))) dead.add(pid);
      else if (Number(count) > 0) busy.set(key.join(' '), (busy.get(key.join(' ')) ?? 0) + Number(count));
    }
    this.#busy = busy;
    this.#down = answer.lines.flatMap(([word, endpoint = '']) => (word === 'down' ? [endpoint] : []));
    this.#lookedAt = this.#clock.monotonic();
    if (!this.#hasOthers()) this.#watch.counted(numberOf(answer, 'generation'), busy);
    for (const pid of dead) await askAdmin(this.#socket, 'POST', `/forget?pid=${pid}`);
  }

  async #readReport(): Promise<void> {
    const started = this.#clock.monotonic();
    const [figures, state] = await Promise.all([
      askAdmin(this.#socket, 'GET', '/figures'),
      askAdmin(this.#socket, 'GET', '/state'),
    ]);
    const took = this.#clock.monotonic() - started;
    this.#reportDue = started + Math.min(longestWaitMs, Math.max(freshMs, took * restFactor));
    this.#tables = state.lines.flatMap(([word, name = '', bytes, free]) =>
      word === 'dict' ? [{ name, bytes: Number(bytes), free: Number(free) }] : [],
    );
    this.#report = {
      at: this.#clock.now(),
      since: numberOf(figures, 'since'),
      versions: readFigures(figures.lines),
      own: readOwnAnswers(figures.lines),
      inFlight: [...this.#busy].map(([key, requests]) => {
        const [service = '', endpoint = ''] = key.split(' ');
        return { service, endpoint, requests };
      }),
      down: this.#down,
      uncounted: numberOf(figures, 'uncounted'),
      ...(await this.#watched()),
    };
  }

  /** What nginx counts is compared with what is asked for each time: it may have begun anew. */
  async #watched(): Promise<{ watched?: WatchedCalls[] }> {
    if (this.#asked.length === 0 && !this.#mayCount) return {};
    const path = '/watched';
    const found = readWatched((await askAdmin(this.#socket, 'GET', path)).lines);
    const counts = ({ service, operation }: WatchedOperation) =>
      found.find((one) => one.service === service && one.operation === operation);
    const watched = this.#asked.flatMap((one) => counts(one) ?? []);
    if (watched.length < this.#asked.length || watched.length < found.length)
      await askAdmin(this.#socket, 'POST', path, watchText(this.#asked));
    this.#mayCount = this.#asked.length > 0;
    return this.#mayCount ? { watched } : {};
  }

  #hasOthers(): boolean {
    if (this.#others.pids.length === 0) return false;
    const alive = this.#others.pids.filter(isNginx);
    this.#others = { ...this.#others, pids: alive };
    return alive.length > 0;
  }
}
