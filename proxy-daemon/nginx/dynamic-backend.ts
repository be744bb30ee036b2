/**
 * Dynamic mode: nginx runs one configuration, and a generation is what its shared dicts hold. Publishing sends what changed
 * over the admin socket; the first request after it, in whichever worker, is routed by it.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../registrar/clock.ts';
import { McpError } from '../../specs/errors.ts';
import type { MergedDocument } from '../document-source.ts';
import { replaceFile } from '../files.ts';
import { type FrontDoor, noDoor } from '../front-door/front-door.ts';
import type { GatewayBackend, Publication, PublicationTimes, TableUse, WatchedOperation } from '../gateway-backend.ts';
import type { Moment } from '../routes/explain/explain-instances.ts';
import type { RouteTable } from '../routes/route-table.ts';
import type { TrafficReport } from '../version-figures.ts';
import { askAdmin, numberOf } from './admin-client.ts';
import { adminSocketPath, makeAdminDirectory } from './admin-socket.ts';
import { configurationInPlace, dynamicHeader } from './configuration-in-place.ts';
import { type DoorTable, doorTable, tidyDoorTables, writeDoorTable } from './door-table.ts';
import { makeDynamicConfig } from './dynamic-config.ts';
import { emit } from './emit.ts';
import { diskError } from './generation-files.ts';
import { luaModules } from './lua-module.ts';
import { configRejected, NginxProcess } from './nginx-process.ts';
import { type GatewayPaths, gatewayPaths } from './paths.ts';
import { canServePacked } from './run-nginx.ts';
import { removeOtherDocument, servedDocument, takeOverDocument, writeDocument } from './served-document.ts';
import { installLua, installStaticFiles } from './static-files.ts';
import { SentTables, type TableChanges } from './table-changes.ts';
import { messageText, type TableMessage } from './table-message.ts';
import { loadTables, TableStore } from './table-store.ts';
import { TrafficCounts } from './traffic-counts.ts';
import { workerUser } from './worker-user.ts';

export interface DynamicBackendOptions {
  /** Absolute. Made if missing. */
  dir: string;
  listen: { address: string; port: number };
  clock: Clock;
  workers: number;
  /** Where HTTP/2 without TLS is spoken, for gRPC; null: nowhere. */
  http2: { address: string; port: number } | null;
  /** The zone this gateway is in, to prefer instances there; null: none. */
  zone: string | null;
  /** Room for the route tables, bytes. */
  tableBytes: number;
}

/** Old workers after one of the rare reloads (another port, other limits) may finish requests for so long, ms. */
const shutdownTimeoutMs = 300_000;

export class DynamicBackend implements GatewayBackend {
  readonly mode = 'dynamic';
  readonly reloads = false;
  readonly #clock: Clock;
  readonly #paths: GatewayPaths;
  readonly #nginx: NginxProcess;
  readonly #store: TableStore;
  readonly #socket: string;
  readonly #configOf: (door: FrontDoor) => string;
  /** What nginx is to have; empty until there is a door. */
  #config = '';
  #door: FrontDoor = noDoor;
  readonly #sent: SentTables;
  readonly #counts: TrafficCounts;
  readonly #zone: string | null;
  #generation = 0;
  /** Digest of the document in place. */
  #document = '';
  #hasRemovedOther = false;
  /** nginx has the configuration of this daemon, and the tables that it was sent. */
  #isInPlace = false;
  /** The last table that was looked at, and what differs in it. */
  #looked: { table: RouteTable; changes: TableChanges } | null = null;
  #diskProblem = '';

  constructor(options: DynamicBackendOptions) {
    const { dir, listen, http2, clock, workers, tableBytes } = options;
    this.#clock = clock;
    this.#paths = gatewayPaths(dir);
    installStaticFiles(this.#paths);
    const code = installLua(this.#paths);
    this.#nginx = new NginxProcess({ paths: this.#paths, listen, clock });
    this.#store = new TableStore(this.#paths, clock);
    this.#socket = adminSocketPath(dir);
    this.#zone = options.zone;
    this.#sent = new SentTables(options.zone);
    this.#counts = new TrafficCounts(this.#socket, clock);
    const user = workerUser(dir);
    const settings = {
      ...{ listen, http2, paths: this.#paths, user, workers, shutdownTimeoutMs, tableBytes },
      gzipStatic: canServePacked(),
      modules: luaModules(),
      adminSocket: this.#socket,
    };
    const texts = new WeakMap<FrontDoor, string>();
    this.#configOf = (door) => {
      const text =
        texts.get(door) ?? `${dynamicHeader}# code ${code}\n${emit(makeDynamicConfig({ ...settings, door }))}`;
      texts.set(door, text);
      return text;
    };
  }

  async start(door: FrontDoor): Promise<number> {
    this.#config = this.#configOf(door);
    this.#door = door;
    const place = configurationInPlace(this.#paths);
    this.#generation = place.generation;
    if (place.mode === null || place.generation === 0) return 0;
    await takeOverDocument(this.#paths, 'lists', place.generation);
    this.#document = servedDocument(this.#paths, 'lists')?.digest ?? '';
    if (place.mode === 'plain') {
      if (this.#nginx.master() === null) await this.#nginx.start(place.generation);
      return place.generation;
    }
    this.#sent.restore(loadTables(this.#paths).entries);
    if (this.#nginx.master() === null || place.text !== this.#config) await this.#install();
    await this.#adopt();
    return this.#generation;
  }

  lastDocument(): MergedDocument | null {
    return servedDocument(this.#paths, 'lists');
  }

  serves({ table, document, door }: Publication): boolean {
    if (!this.#isInPlace || this.#document !== document.digest || this.#configOf(door) !== this.#config) return false;
    const { set, remove } = this.#changes(table);
    return set.length === 0 && remove.length === 0;
  }

  async publish(generation: number, publication: Publication): Promise<PublicationTimes> {
    const { table, document, door } = publication;
    const started = this.#clock.monotonic();
    const changes = this.#changes(table);
    const summary = this.#sent.summary(changes);
    const common = {
      generation,
      depths: [...summary.depths.keys()],
      listed: summary.listed,
    };
    const change = messageText({ ...common, base: this.#generation, ...changes });
    const everything = (): TableMessage => ({ ...common, base: null, set: this.#sent.everything(changes), remove: [] });
    if (this.#document !== document.digest) {
      const show = await writeDocument(this.#paths, 'lists', generation, document);
      await show();
    }
    let testMs = 0;
    const config = this.#configOf(door);
    const [doorBefore, before] = [this.#door, this.#config];
    if (!this.#isInPlace || config !== before) {
      if (!this.#isInPlace) await this.#save(everything());
      this.#config = config;
      this.#door = door;
      testMs = await this.#install().catch((error: unknown) => {
        this.#config = before;
        this.#door = doorBefore;
        throw error;
      });
    }
    const told = this.#clock.monotonic();
    await this.#send(change, everything);
    const switched = this.#clock.monotonic();

    this.#isInPlace = true;
    this.#sent.commit(changes, (key, isRouted) => this.#counts.routed(key, isRouted, generation));
    this.#looked = null;
    this.#generation = generation;
    if (!this.#hasRemovedOther || testMs > 0) await removeOtherDocument(this.#paths, 'lists');
    this.#hasRemovedOther = true;
    this.#document = document.digest;
    await this.#journal(change, everything);
    await this.observe();
    return { ownMs: told - started - testMs, testMs, switchMs: switched - told };
  }

  oldestInFlight(): number {
    return this.#counts.oldest(this.#generation);
  }

  leaving(): number {
    return this.#nginx.leaving();
  }

  reloadsDone(): number {
    return this.#nginx.reloads();
  }

  async revive(): Promise<boolean> {
    if (this.#generation === 0 || this.#nginx.master() !== null) return false;
    await this.#install();
    await this.#adopt();
    return true;
  }

  observe(): Promise<void> {
    return this.#counts.look();
  }

  traffic(): Promise<Omit<TrafficReport, 'gateway'> | null> {
    return this.#counts.traffic();
  }

  watch(operations: readonly WatchedOperation[]): void {
    this.#counts.watch(operations);
  }

  async moment(): Promise<Moment> {
    return { zone: this.#zone, ...(await this.#counts.moment()), since: (key) => this.#sent.since(key) };
  }

  tables(): readonly TableUse[] {
    return this.#counts.tables();
  }

  alarm(): string {
    return [this.#diskProblem, this.#counts.alarm()].filter(Boolean).join('; ');
  }

  #changes(table: RouteTable): TableChanges {
    if (this.#looked?.table !== table) {
      this.#looked = { table, changes: this.#sent.changes(table, this.#clock.now()) };
    }
    return this.#looked.changes;
  }

  /** Writes, checks and loads the configuration: nginx starts, or reloads where it runs. Gives what the check took, ms. */
  async #install(): Promise<number> {
    const previous = configurationInPlace(this.#paths);
    const doors = doorTable(this.#door);
    this.#write(this.#paths.candidate, this.#config, doors);
    makeAdminDirectory(this.#socket);
    const test = await this.#nginx.test(this.#paths.candidate);
    if (!test.ok) throw configRejected(test.output);
    if (previous.mode !== 'dynamic' || this.#nginx.master() === null) {
      // Left by the check, or by a nginx that was killed: it would keep the new one from listening.
      rmSync(this.#socket, { force: true });
      // Requests in workers of another mode, or of a master that was killed, are not in the counts of the new ones.
      this.#counts.others(this.#nginx.everyWorker(), previous.generation);
    }
    renameSync(this.#paths.candidate, this.#paths.config);
    try {
      const old = this.#nginx.reload();
      if (old) await this.#nginx.awaitReload(null, old);
      else await this.#nginx.start(null);
    } catch (error) {
      // What nginx refused must not be what it starts with next time.
      if (previous.mode !== null) replaceFile(this.#paths.config, previous.text);
      throw error;
    }
    tidyDoorTables(this.#paths.doors, doors);
    return test.ms;
  }

  /** Learns what nginx really has: only where that is what was sent last the next generation is a change to it. */
  async #adopt(): Promise<void> {
    const state = await askAdmin(this.#socket, 'GET', '/state');
    this.#isInPlace = numberOf(state, 'generation') === this.#generation;
    await this.#counts.adopt(this.#sent.liveKeys(), this.#generation);
  }

  /** The change, or everything where nginx has another generation than the one that it changes. */
  async #send(change: string, everything: () => TableMessage): Promise<void> {
    let answer = await askAdmin(this.#socket, 'POST', '/publish', change);
    if (answer.status === 409) answer = await askAdmin(this.#socket, 'POST', '/publish', messageText(everything()));
    if (answer.status === 200) return;
    const why = answer.lines.map((words) => words.join(' ')).join(' ');
    throw new McpError('GATEWAY_TABLES_FULL', `the routes do not fit into nginx's tables: ${why}`, {
      hint: 'The last good ones stay. Give the gateway larger tables (--tables), or see who registers so much.',
    });
  }

  async #save(everything: TableMessage): Promise<void> {
    try {
      await this.#store.replace(everything);
    } catch (error) {
      throw diskError(error);
    }
  }

  /** What is served is served, also where the disk is full; but then a restart of nginx would bring back older routes. */
  async #journal(change: string, everything: () => TableMessage): Promise<void> {
    const failed = (error: unknown) => {
      this.#diskProblem = `the routes can't be kept on disk: ${error instanceof Error ? error.message : error}`;
    };
    try {
      if (this.#diskProblem === '') await this.#store.append(change);
      else await this.#store.replace(everything());
      this.#diskProblem = '';
      // Megabytes, which the next change does not wait for.
      if (this.#store.isJournalLong()) this.#store.merge(everything()).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #write(path: string, text: string, doors: DoorTable | null): void {
    try {
      writeDoorTable(this.#paths.doors, doors);
      writeFileSync(path, text, { mode: 0o644 });
    } catch (error) {
      throw diskError(error);
    }
  }
}
