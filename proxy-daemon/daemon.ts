/**
 * The proxy daemon: registry -> routes -> nginx and document, one generation -> acknowledgement.
 *
 * One loop, level-based: whatever happened (a registration, a document, a probe, a tick) only wakes it to look again. nginx
 * is a process of its own and goes on when this one ends.
 */
import type { ForeignWord } from '../registrar/records.ts';
import { isMcpError } from '../specs/errors.ts';
import { Acknowledger } from './acknowledger.ts';
import { AfterServing } from './after-serving.ts';
import type { GatewayMode, ModeChoice } from './backend-choice.ts';
import { DocumentGrace } from './document-grace.ts';
import { ForeignRegistries } from './foreign/foreign-registries.ts';
import { DoorKeeper } from './front-door/door-keeper.ts';
import { doorWords } from './front-door/door-words.ts';
import { tlsWord } from './front-door/front-door.ts';
import type { GatewayBackend, Publication } from './gateway-backend.ts';
import { drainedMark, type Marks, pruned, servedMark, withMark } from './gateway-marks.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { gatewayReports } from './gateway-reports.ts';
import { loadLastGood } from './last-good.ts';
import { allLeftOut } from './left-out.ts';
import { LossProbe } from './loss-probe.ts';
import { type GatewayPaths, gatewayPaths } from './nginx/paths.ts';
import { drainTimeout, undeclared } from './publication-parts.ts';
import { QuarantineWriter } from './quarantine-writer.ts';
import { isRefusal, messageOf } from './refusals.ts';
import { RegistryReader, type RegistryReading } from './registry-reader.ts';
import { RegistrationIndex } from './routes/registration-index.ts';
import { RouteMaker } from './routes/route-maker.ts';
import type { Rejected, RouteTable } from './routes/route-table.ts';
import { RoutedTotal } from './routes/routed-total.ts';
import type { PublicationReport, StatusReport } from './status-report.ts';
import { Tellers } from './tellers.ts';

const defaultReloadIntervalMs = 1000;
/** Between two looks at things that send no event: nginx, old workers, missing instances. */
const tickMs = 250;
/** With more old workers than this alive (long requests, WebSockets) reloads become rarer in proportion. */
const manyLeaving = 16;
const noRollouts: StatusReport['rollouts'] = [];
/** After a publication that failed, ms. */
const retryMs = 5000;

/** Runs until `signal` aborts. Rejects only where no retry can help (wrong registry credentials). */
export async function runGatewayDaemon(options: GatewayOptions): Promise<void> {
  await new GatewayDaemon(options).run();
}

class GatewayDaemon {
  readonly #options: GatewayOptions;
  readonly #paths: GatewayPaths;
  readonly #acknowledger: Acknowledger;
  readonly #quarantine: QuarantineWriter;
  readonly #foreign: ForeignRegistries;
  readonly #probe: LossProbe;
  readonly #door: DoorKeeper;
  readonly #tellers: Tellers;
  readonly #after: AfterServing;
  readonly #routedTotal = new RoutedTotal();
  #choice: ModeChoice;
  #backend: GatewayBackend;
  #wake = Promise.withResolvers<void>();
  #reading: RegistryReading | null = null;
  #registry: StatusReport['registry'];
  readonly #maker: RouteMaker;
  #table: RouteTable;
  /** Services whose registrations changed since the table was made; null: any may have. */
  #changed: ReadonlySet<string> | null = null;
  #rejected: Rejected[] = [];
  #words: ForeignWord[] = [];
  #generation = 0;
  #marks: Marks = [];
  /** Monotonic time of the oldest event not looked at yet; null where there is none. */
  #eventAt: number | null = null;
  /** Monotonic: no reload before. */
  #notBefore = 0;
  /** True where what should be served is not. */
  #behind = false;
  /** Monotonic time since when a change waits for the reload interval; null where none does. */
  #waitingSince: number | null = null;
  #problem = '';
  #grace = new DocumentGrace(null);
  #publications: PublicationReport[] = [];
  #revivals = 0;
  readonly #startedAt: number;

  constructor(options: GatewayOptions) {
    const { clock, dir, documents, id, connectForeign, allowLoopback, signal } = options;
    this.#options = options;
    this.#paths = gatewayPaths(dir);
    this.#acknowledger = new Acknowledger(clock);
    this.#quarantine = new QuarantineWriter(clock, id);
    const onChange = () => this.#look();
    this.#foreign = new ForeignRegistries({ connect: connectForeign, clock, allowLoopback, onChange, signal });
    this.#probe = new LossProbe(clock);
    this.#door = new DoorKeeper(this.#paths, options.listen.address, clock);
    this.#choice = options.backends.choose(undefined);
    this.#backend = options.backends.make(this.#choice.mode);
    this.#tellers = new Tellers({ paths: this.#paths, gateway: id, clock, documents, backend: () => this.#backend });
    this.#after = new AfterServing({ clock, paths: this.#paths, documents, onFailure: (error) => this.#fail(error) });
    this.#startedAt = clock.now();
    this.#registry = { connected: false, since: this.#startedAt, reason: 'not connected yet' };
    this.#table = loadLastGood(this.#paths);
    this.#maker = new RouteMaker(this.#table);
  }

  async run(): Promise<void> {
    const { connect, clock, allowLoopback, signal } = this.#options;
    this.#tellers.open();
    await this.#coldStart();
    const reader = new RegistryReader({
      connect,
      clock,
      allowLoopback,
      onReading: (reading) => this.#onReading(reading),
      onSession: async (client, session) => {
        await Promise.all([this.#acknowledger.run(client, session), this.#quarantine.run(client, session)]);
      },
      onTrouble: (reason) => this.#onTrouble(reason),
    });
    const stopListening = this.#options.documents.onChange(() => this.#look());
    const wakeToEnd = () => this.#wake.resolve();
    signal.addEventListener('abort', wakeToEnd, { once: true });
    try {
      const reading = reader.run(signal);
      await Promise.race([this.#loop(), reading.then(() => new Promise<never>(() => {}))]);
      await reading;
    } finally {
      stopListening();
      this.#tellers.close();
      signal.removeEventListener('abort', wakeToEnd);
      if (signal.aborted) await Promise.all([this.#foreign.ended(), this.#after.ended(), this.#tellers.ended()]);
    }
  }

  /** Serves the last good configuration before anything else, registry or not (P10). */
  async #coldStart(): Promise<void> {
    const { log } = this.#options;
    try {
      this.#generation = await this.#backend.start(this.#door.current());
      if (this.#generation > 0) this.#grace = new DocumentGrace(this.#backend.lastDocument());
      if (this.#generation > 0) log.info({ generation: this.#generation }, 'serving the last good configuration');
    } catch (error) {
      this.#fail(error);
    }
    this.#report();
  }

  async #loop(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      const tick = new AbortController();
      await Promise.race([this.#wake.promise, clock.sleep(tickMs, tick.signal).catch(() => {})]);
      try {
        if (signal.aborted) break;
        if (this.#eventAt === null) await this.#revive();
        await this.#step();
        await this.#backend.observe();
        this.#backend.watch(this.#reading?.watched ?? []);
        this.#tellers.look(this.#reading?.desired?.environment.gateway);
        if (this.#eventAt === null) this.#tidy();
      } catch (error) {
        this.#fail(error);
      } finally {
        tick.abort();
      }
      this.#report();
    }
  }

  #look(): void {
    this.#eventAt ??= this.#options.clock.monotonic();
    this.#wake.resolve();
  }

  #onReading(reading: RegistryReading): void {
    this.#reading = reading;
    // Where nothing is declared any more, what was declared stays in force.
    if (reading.desired) this.#foreign.configure(reading.desired.environment.gateway.registries);
    this.#changed = this.#changed && reading.changed && new Set([...this.#changed, ...reading.changed]);
    this.#look();
  }

  #onTrouble(reason: string): void {
    const connected = reason === '';
    if (connected === this.#registry.connected && reason === this.#registry.reason) return;
    const { clock, log } = this.#options;
    const since = connected === this.#registry.connected ? this.#registry.since : clock.now();
    this.#registry = { connected, since, reason };
    if (connected) log.info('the registry can be read');
    else log.warn({ reason }, 'the registry can not be read: the last good configuration stays');
    this.#look();
  }

  async #revive(): Promise<void> {
    if (!(await this.#backend.revive())) return;
    this.#revivals += 1;
    this.#problem = '';
    this.#options.log.warn('nginx had died; started again with the last good configuration');
  }

  /** Looks once: makes the routes, and publishes them if they differ and the reload interval allows it. */
  async #step(): Promise<void> {
    const { clock, documents, signal } = this.#options;
    const reading = this.#reading;
    const begun = this.#eventAt ?? clock.monotonic();
    const environment = reading?.desired?.environment ?? null;
    const hasNewDoor = this.#door.look(environment);
    const hasWork = this.#eventAt !== null || this.#behind || hasNewDoor || this.#maker.isDue(clock.now());
    if (reading && !this.#maker.isSettled()) this.#probe.look(this.#table.known, () => this.#look());
    if (this.#eventAt !== null) this.#wake = Promise.withResolvers();
    this.#eventAt = null;
    if (reading === null || !hasWork || (this.#behind && this.#mustWait(begun))) return;

    if (environment === null && this.#maker.hasDeclared()) throw undeclared();
    this.#choose(environment?.gateway.mode);
    this.#table = this.#makeTable(reading);
    this.#rejected = allLeftOut(reading.rejected, this.#table.rejected, this.#foreign.rejected());
    this.#quarantine.say(this.#rejected);
    const publication: Publication = {
      table: this.#table,
      document: this.#grace.of(documents.current(), clock, signal, () => this.#look()),
      drainTimeoutMs: drainTimeout(environment),
      door: this.#door.current(),
    };
    const isServed = this.#backend.serves(publication);
    this.#behind = !isServed;
    const isDue = !isServed && !this.#mustWait(begun);
    const published = isDue ? this.#publish(publication, reading, begun) : null;
    if (!this.#maker.isSettled()) this.#probe.look(this.#table.known, () => this.#look());
    // While nginx checks the new configuration.
    if (this.#backend.reloads) this.#tidy();
    if (isServed) {
      this.#problem = '';
      this.#marks = withMark(this.#marks, this.#generation, reading.asOf);
    }
    try {
      await published;
    } finally {
      this.#words = this.#foreign.words(this.#table);
    }
  }

  /** True while the reload interval has not passed; when it has, what is to be served is worked out anew. */
  #mustWait(begun: number): boolean {
    const { clock, signal } = this.#options;
    const wait = this.#notBefore - clock.monotonic();
    if (wait <= 0) return false;
    if (this.#waitingSince === null) {
      this.#waitingSince = begun;
      const again = () => this.#look();
      void clock.sleep(wait, signal).then(again, () => {});
    }
    return true;
  }

  async #publish(publication: Publication, reading: RegistryReading, begun: number): Promise<void> {
    const { clock, log, minReloadIntervalMs = defaultReloadIntervalMs } = this.#options;
    const intervalMs = this.#backend.reloads ? minReloadIntervalMs : 0;
    const generation = this.#generation + 1;
    const started = clock.monotonic();
    const waitedMs = this.#waitingSince === null ? 0 : begun - this.#waitingSince;
    this.#waitingSince = null;
    this.#notBefore = started + Math.max(intervalMs, retryMs);
    const times = await this.#backend.publish(generation, publication).catch((error: unknown) => {
      // What nginx does not take at its door must not keep the routes from changing.
      if (isRefusal(error) && this.#door.refuse(publication.door, messageOf(error))) this.#notBefore = 0;
      throw error;
    });
    this.#door.served(publication.door);
    this.#notBefore = started + intervalMs * Math.max(1, this.#backend.leaving() / manyLeaving);
    this.#generation = generation;
    this.#behind = false;
    this.#problem = '';
    this.#marks = withMark(this.#marks, generation, reading.asOf);
    const ownMs = started - begun + times.ownMs;
    const { testMs, switchMs } = times;
    const report: PublicationReport = { generation, at: clock.now(), ownMs, testMs, switchMs, waitedMs };
    this.#publications = [...this.#publications, report].slice(-20);
    log.info(report, 'a new generation is served');
  }

  #tidy(): void {
    if (this.#reading === null) return;
    const isServed = !this.#behind && this.#marks.length > 0;
    this.#after.look({ table: this.#table, environment: this.#reading.desired?.environment ?? null, isServed });
  }

  /** Takes up the declared mode, if it is another one: the next publication then goes out that way. */
  #choose(declared: GatewayMode | undefined): void {
    const { backends, log } = this.#options;
    const choice = backends.choose(declared);
    if (choice.mode !== this.#choice.mode) {
      log.info(choice, 'the mode changes');
      this.#backend = backends.make(choice.mode);
    }
    this.#choice = choice;
  }

  #makeTable(reading: RegistryReading): RouteTable {
    const changed = this.#changed;
    this.#changed = new Set();
    const foreign = this.#foreign.isEmpty() ? null : this.#foreign.registrations(this.#table.known);
    const table = this.#maker.make({
      desired: reading.desired?.environment ?? null,
      registrations: foreign
        ? new RegistrationIndex([...reading.registrations.all(), ...foreign])
        : reading.registrations,
      // What others register is not told by service: there everything is looked at.
      changed: foreign ? null : changed,
      dead: this.#probe.dead(),
      asOf: reading.asOf,
      releases: reading.releases,
      now: this.#options.clock.now(),
    });
    if (table.holding !== '' && table.holding !== this.#table.holding) {
      this.#options.log.warn({ holding: table.holding }, 'instances vanished unannounced: kept while they answer');
    }
    return table;
  }

  /** The configuration before stays in place; said once, tried again later. */
  #fail(error: unknown): void {
    const message = messageOf(error);
    const hint = isMcpError(error) && error.hint !== '' ? ` ${error.hint}` : '';
    if (this.#problem !== `${message}${hint}`) this.#options.log.error({ err: error }, 'what should be served is not');
    this.#problem = `${message}${hint}`;
  }

  #report(): void {
    const { id, url, clock, documents, listen } = this.#options;
    const oldest = this.#backend.oldestInFlight();
    this.#marks = pruned(this.#marks, oldest);
    const holding = this.#registry.connected
      ? this.#table.holding
      : `since ${new Date(this.#registry.since).toISOString()}: ${this.#registry.reason}`;
    const { digest, operations, sources } = documents.current();
    const desired = this.#reading?.desired ?? null;
    const told = {
      ...{ id, url, pid: process.pid, mode: this.#choice.mode, modeReason: this.#choice.reason },
      ...{ holding, problem: this.#problem, rejected: this.#rejected, routes: this.#table.routes, words: this.#words },
      instances: this.#routedTotal.of(this.#table.routes),
      alarm: [this.#backend.alarm(), this.#door.alarm(this.#choice.mode), this.#tellers.alarm()]
        .filter(Boolean)
        .join('; '),
      tls: tlsWord(this.#door.kept(), listen.address),
      served: servedMark(this.#marks) ?? { generation: this.#generation, asOf: 0 },
      drained: drainedMark(this.#marks, oldest),
      at: clock.now(),
    };
    const { record, status } = gatewayReports(told, {
      startedAt: this.#startedAt,
      environment: desired && { name: desired.environment.name, generation: desired.generation },
      registry: this.#registry,
      tables: this.#backend.tables(),
      document: { digest, operations, sources },
      publications: this.#publications,
      revivals: this.#revivals,
      reloads: this.#backend.reloadsDone(),
      doors: doorWords(this.#door.kept()),
      rollouts: this.#reading?.rollouts ?? noRollouts,
    });
    // Before the first reading nothing is known that the registry should hear; but that nothing can be served is.
    if (this.#marks.length > 0 || (this.#reading !== null && this.#problem !== '')) this.#acknowledger.say(record);
    this.#tellers.say(status);
  }
}
