/**
 * Machines that are processes of this host, whatever runs in them: each with a folder and a loopback address of its own.
 * Several providers may share a folder (leader and standby, or one that was paused): every step that matters has one winner,
 * decided by the file system, and all state is on disk. Linux only.
 */
import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import type { Clock } from '../../registrar/clock.ts';
import { isSameProcess, type ProcessIdentity, readStartTime } from '../../registrar/process-identity.ts';
import { isMcpError } from '../../specs/errors.ts';
import type {
  ConsolePart,
  CreateMachine,
  MachineProvider,
  ProviderCapabilities,
  ProviderMachine,
} from '../provider.ts';
import { refused, unavailable, unknownOutcome } from '../provider-errors.ts';
import { AddressBook, hosts } from './address-book.ts';
import { ExitWatch } from './exit-watch.ts';
import { inTurn } from './files.ts';
import { MachineConsoles } from './machine-consoles.ts';
import { endMachine, sweepMachine } from './machine-processes.ts';
import type { MachineFiles, MachineStore, StoredMachine } from './machine-store.ts';

export interface HostProviderOptions {
  /** Holds everything of this provider; made if missing. */
  dir: string;
  clusterId: string;
  /** First three numbers of the machines' addresses, e.g. `127.30.7`. */
  addressBlock: string;
  clock: Clock;
  log?: Logger;
  /** Quota; absent: none. Kept among the creations of one provider, not between two. */
  maxMachines?: number;
}

/** A machine's state, and what people should know of it. */
type Condition = Pick<ProviderMachine, 'state' | 'remark'>;

/** What kinds of machines of this host differ in. Each step may be taken twice, or at once by two providers. */
export interface MachineKind {
  name: string;
  capabilities: ProviderCapabilities;
  /** Why there is no such image, as a sentence with what to do; null where there is one. */
  whyNoImage(image: string): Promise<string | null>;
  /** Rejects with PROVIDER_REFUSED where there is no such image, or where none of that size can be made here. */
  check(request: Pick<CreateMachine, 'image' | 'flavor'>): Promise<void>;
  /**
   * Starts the machine's main process. When it resolves the store tells who that is, or `nobody` where somebody forbade it.
   * Gives the process where it is our child.
   */
  start(machine: StoredMachine, address: string): Promise<ChildProcess | null>;
  /** Whatever its main process still lacks to be this machine: also where a maker was killed as soon as that was started. */
  finish?(machine: StoredMachine, address: string, main: ProcessIdentity): Promise<void>;
  /** How a machine is whose main process lives. */
  stateOf(
    machine: StoredMachine,
    main: ProcessIdentity,
  ): Promise<Condition & { state: 'building' | 'running' | 'error' }>;
  /** Ends what a machine's folder, already out of sight, still holds. */
  endRemains(uuid: string, remains: string): Promise<void>;
  /** Where the machine's console is, in its folder. */
  consoleFile: string;
  /** Ends what no machine in the store tells of, if there can be such a thing: called again and again. */
  tidyUp?(): Promise<void>;
  /** For people. */
  facts?(): Record<string, string>;
}

const halfMade: Condition = { state: 'stopped', remark: 'its making was broken off' };

/** ms between two times of looking after what nobody asks for. */
const houseMs = 10_000;

export class HostProvider implements MachineProvider {
  readonly name: string;
  readonly capabilities: ProviderCapabilities;

  readonly #options: HostProviderOptions;
  readonly #kind: MachineKind;
  readonly #store: MachineStore;
  readonly #addresses: AddressBook;
  readonly #exits: ExitWatch;
  readonly #consoles: MachineConsoles;
  readonly #listeners = new Set<(uuid: string) => void>();
  /** Dead machines whose remains were swept. */
  readonly #swept = new Set<string>();
  /** Creations up to their folder go one by one, so that the quota holds. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();
  #housekeeping: Promise<void> | null = null;

  /** Errors: PROVIDER_BAD_CONFIG. */
  constructor(options: HostProviderOptions, store: MachineStore, kind: MachineKind) {
    this.#options = options;
    this.#store = store;
    this.#kind = kind;
    this.name = kind.name;
    this.capabilities = kind.capabilities;
    this.#addresses = new AddressBook({
      folder: store.addresses,
      staging: store.staging,
      block: options.addressBlock,
      exists: (uuid) => this.#store.exists(uuid),
    });
    this.#consoles = new MachineConsoles(store, kind.consoleFile);
    this.#exits = new ExitWatch((uuid) => this.#onExit(uuid));
  }

  get facts(): Readonly<Record<string, string>> {
    return this.#kind.facts?.() ?? {};
  }

  async create(request: CreateMachine, signal?: AbortSignal): Promise<ProviderMachine> {
    signal?.throwIfAborted();
    this.#checkRequest(request);
    await this.#guarded('create', () => this.#kind.check(request));
    const machine = await this.#guarded('create', async () => {
      const stored = await this.#inTurn(() => this.#enter(request));
      await this.#complete(stored).catch((error: unknown) => this.#undo(stored, error));
      return this.#look(stored.uuid);
    });
    if (!machine) throw unavailable(`machine ${request.uuid} was destroyed while it was made`);
    this.#hint(machine.uuid);
    return machine;
  }

  async whyNoImage(image: string, signal?: AbortSignal): Promise<string | null> {
    signal?.throwIfAborted();
    return this.#guarded('list', () => this.#kind.whyNoImage(image));
  }

  async find(operation: string, signal?: AbortSignal): Promise<ProviderMachine | null> {
    return (await this.list(signal)).find((machine) => machine.operation === operation) ?? null;
  }

  async list(signal?: AbortSignal): Promise<ProviderMachine[]> {
    signal?.throwIfAborted();
    return this.#guarded('list', async () => {
      const uuids = await this.#store.uuids();
      const machines = await Promise.all(uuids.map((uuid) => this.#look(uuid)));
      return machines.filter((machine) => machine !== null);
    });
  }

  async destroy({ uuid, providerId }: { uuid: string; providerId: string }, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    checkUuid(uuid);
    if (providerId !== this.#providerIdOf(uuid)) {
      throw refused(`machine ${uuid} is not ${providerId}`, { details: { uuid, providerId } });
    }
    await this.#guarded('destroy', async () => {
      const files = await this.#store.read(uuid);
      if (!files) return;
      const { clusterId } = this.#options;
      if (files.stored?.clusterId !== clusterId)
        throw refused(`machine ${uuid} is not known to be of cluster ${clusterId}`);
      await this.#end(files.stored);
    });
    this.#hint(uuid);
  }

  events(listener: (uuid: string) => void): () => void {
    const own = (uuid: string) => listener(uuid);
    this.#listeners.add(own);
    // Machines of providers before us are watched from their first listing.
    this.list().catch((error: unknown) => this.#options.log?.warn({ err: error }, 'machines could not be listed'));
    // Whoever listens is responsible for the machines: it also keeps the house.
    this.#housekeeping ??= this.#keepHouse(this.#closing.signal);
    return () => void this.#listeners.delete(own);
  }

  async limits(signal?: AbortSignal): Promise<{ machines: { limit: number; used: number } }> {
    signal?.throwIfAborted();
    const { length: used } = await this.#guarded('list', () => this.#store.uuids());
    return { machines: { limit: Math.min(hosts, this.#options.maxMachines ?? hosts), used } };
  }

  async console(uuid: string, after: string | null, signal?: AbortSignal): Promise<ConsolePart | null> {
    signal?.throwIfAborted();
    checkUuid(uuid);
    return this.#guarded('console', () => this.#consoles.read(uuid, after));
  }

  /** Machines that are no more and whose console is kept, oldest first. */
  buried(): Promise<string[]> {
    return this.#guarded('buried', () => this.#consoles.buried());
  }

  async close(): Promise<void> {
    this.#exits.close();
    this.#listeners.clear();
    this.#closing.abort();
    await this.#housekeeping;
  }

  /** What nobody asks for and has to be done all the same, again and again until the provider is closed. */
  async #keepHouse(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tidyUp().catch((err: unknown) => this.#options.log?.warn({ err }, 'the house could not be kept'));
      await this.#options.clock.sleep(houseMs, signal).catch(() => {});
    }
  }

  async #tidyUp(): Promise<void> {
    await inTurn([() => this.#consoles.bound(), async () => this.#kind.tidyUp?.()]);
  }

  #checkRequest({ uuid, clusterId }: CreateMachine): void {
    checkUuid(uuid);
    if (clusterId !== this.#options.clusterId)
      throw refused(`this provider serves ${this.#options.clusterId}, not ${clusterId}`);
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(step, step);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** The machine's folder, made or found: from here on nothing is lost by a crash. */
  async #enter(request: CreateMachine): Promise<StoredMachine> {
    const maker = { pid: process.pid, startTime: readStartTime(process.pid) ?? 0 };
    const existing = await this.#storedBy(request);
    if (existing) return { ...existing, maker };
    const { maxMachines, clock } = this.#options;
    if (maxMachines !== undefined && (await this.list()).length >= maxMachines) {
      throw refused(`the quota of ${maxMachines} machines is used up`);
    }
    const { uuid, operation, clusterId, image, flavor, template, registry } = request;
    const machine = { uuid, operation, clusterId, image, flavor, template, registry, createdAt: clock.now(), maker };
    if (await this.#store.add(machine)) return machine;
    // Another provider was faster.
    const other = await this.#storedBy(request);
    if (!other) throw unavailable(`machine ${uuid} came and went`);
    return { ...other, maker };
  }

  /** The machine of this operation, if any. Errors: PROVIDER_REFUSED where the uuid belongs to another operation. */
  async #storedBy({ uuid, operation }: CreateMachine): Promise<StoredMachine | null> {
    const found = await this.find(operation);
    const files = await this.#store.read(found?.uuid ?? uuid);
    if (files && files.stored?.operation !== operation) throw refused(`machine ${uuid} was made by another operation`);
    return files?.stored ?? null;
  }

  /** Takes the steps that are missing until the machine runs; each is safe to take twice, and at once with another. */
  async #complete(machine: StoredMachine): Promise<void> {
    const { uuid } = machine;
    const files = await this.#store.read(uuid);
    if (!files) return;
    const address = files.address ?? (await this.#giveAddress(uuid));
    const identity = files.identity ?? (await this.#start(machine, address));
    if (identity && identity !== 'nobody') await this.#kind.finish?.(machine, address, identity);
  }

  async #start(machine: StoredMachine, address: string): Promise<MachineFiles['identity'] | undefined> {
    const { uuid } = machine;
    await this.#store.update(machine);
    const child = await this.#kind.start(machine, address);
    const identity = (await this.#store.read(uuid))?.identity;
    if (identity === null) throw unavailable(`the process of machine ${uuid} ended before it began`);
    if (identity && identity !== 'nobody' && child && identity.pid === child.pid) this.#exits.watchChild(uuid, child);
    this.#options.log?.info({ machine: uuid, address, identity }, 'machine started');
    return identity;
  }

  /** A machine that could not be started is removed, so that a failed create did nothing; one that did start stays. */
  async #undo(machine: StoredMachine, failure: unknown): Promise<void> {
    const { uuid } = machine;
    try {
      const identity = await this.#store.forbidStart(uuid);
      if (identity !== 'nobody' && isSameProcess(identity)) return;
      await this.#discard(machine);
    } catch (cause) {
      this.#options.log?.warn({ err: cause, machine: uuid }, 'a half-made machine could not be removed');
      throw unknownOutcome(`machine ${uuid} was neither made nor removed`, { cause: failure });
    }
    throw failure;
  }

  async #giveAddress(uuid: string): Promise<string> {
    const reserved = await this.#addresses.reserve(uuid);
    let fixed: string | null = null;
    try {
      fixed = await this.#store.fixAddress(uuid, reserved);
      return fixed;
    } finally {
      // Another was faster, or the machine is gone meanwhile.
      if (fixed !== reserved) await this.#addresses.release(uuid, reserved);
    }
  }

  /** The machine as it is now; null where it is gone or another cluster's. */
  async #look(uuid: string): Promise<ProviderMachine | null> {
    const files = await this.#store.read(uuid);
    if (!files) return null;
    const { stored, address } = files;
    // Its state can't be told; neither can whose it is, so it is shown and nothing is done to it.
    if (!stored)
      return { uuid, providerId: this.#providerIdOf(uuid), operation: '', image: '', state: 'unknown', createdAt: 0 };
    if (stored.clusterId !== this.#options.clusterId) return null;
    return {
      uuid,
      providerId: this.#providerIdOf(uuid),
      operation: stored.operation,
      image: stored.image,
      ...(await this.#stateOf(stored, files.identity)),
      ...(address === null ? {} : { address }),
      createdAt: stored.createdAt,
    };
  }

  async #stateOf(stored: StoredMachine, identity: MachineFiles['identity']): Promise<Condition> {
    const { uuid, maker } = stored;
    // Half-made, and nobody is at it any more: only another create would go on.
    if (identity === null) return isSameProcess(maker) ? { state: 'building' } : halfMade;
    if (identity === 'nobody') return halfMade;
    if (isSameProcess(identity)) {
      this.#exits.adopt(uuid, identity);
      return this.#kind.stateOf(stored, identity);
    }
    this.#sweep(uuid, identity);
    return { state: 'stopped' };
  }

  #onExit(uuid: string): void {
    this.#options.log?.info({ machine: uuid }, "a machine's main process ended");
    this.#store
      .read(uuid)
      .then((files) => {
        const identity = files?.identity;
        if (identity && identity !== 'nobody') this.#sweep(uuid, identity);
      })
      .catch((error: unknown) =>
        this.#options.log?.warn({ err: error, machine: uuid }, 'its remains could not be swept'),
      );
    this.#hint(uuid);
  }

  /** A machine whose main process died is dead as a whole: what it left behind must not go on serving. */
  #sweep(uuid: string, identity: ProcessIdentity): void {
    if (this.#swept.has(uuid)) return;
    this.#swept.add(uuid);
    sweepMachine(uuid, identity, this.#options.clock).catch((error: unknown) =>
      this.#options.log?.warn({ err: error, machine: uuid }, 'its remains could not be swept'),
    );
  }

  async #end(machine: StoredMachine): Promise<void> {
    const { uuid } = machine;
    const identity = await this.#store.forbidStart(uuid);
    if (identity !== 'nobody') await endMachine(uuid, identity, this.#options.clock);
    await this.#discard(machine);
    this.#exits.forget(uuid);
    this.#swept.delete(uuid);
    this.#options.log?.info({ machine: uuid }, 'machine destroyed');
  }

  /** In this order: an address is free only when nothing uses it, and a reservation always has its machine. */
  async #discard(machine: StoredMachine): Promise<void> {
    await this.#addresses.release(machine.uuid);
    const remains = await this.#store.takeAway(machine.uuid);
    if (remains === null) return;
    // Nothing can enter any more; what did just before is ended now.
    await this.#kind.endRemains(machine.uuid, remains);
    await this.#store.bury(remains, machine, this.#kind.consoleFile);
  }

  /** Known before the machine is made, and never another machine's. */
  #providerIdOf(uuid: string): string {
    return `${this.name}-${uuid}`;
  }

  #hint(uuid: string): void {
    for (const listener of [...this.#listeners]) listener(uuid);
  }

  /** System errors as PROVIDER_UNAVAILABLE: the steps taken so far are found and gone on from by the next call. */
  async #guarded<T>(call: string, body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (cause) {
      if (isMcpError(cause) && cause.code.startsWith('PROVIDER_')) throw cause;
      // By the port's contract there are no others.
      if (isMcpError(cause)) throw unavailable(`${call} failed: ${cause.message}`, { cause, hint: cause.hint });
      throw unavailable(`${call} failed: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
        hint: `See that ${this.#options.dir} can be read and written and that its disk is not full.`,
      });
    }
  }
}

/** It becomes a folder's name. */
function checkUuid(uuid: string): void {
  if (!/^[0-9A-Za-z][0-9A-Za-z-]{0,63}$/.test(uuid)) throw refused(`${JSON.stringify(uuid)} is no machine's id`);
}
