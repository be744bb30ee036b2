/** One registry session of a machine's agent: what it watches, what it reads, and its nodes kept true. */
import type { Logger } from 'pino';
import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { RegistryClient, WatchHandle, WatchNotice } from '../registry-client.ts';
import { Bell } from './bell.ts';
import type { MachineRights } from './machine-rights.ts';
import type { OwnNodes } from './own-nodes.ts';
import { within } from './within.ts';
import { type AgentWorld, readWorld } from './world.ts';

export interface SessionWatch {
  client: RegistryClient;
  /** Aborts when the session is over. */
  signal: AbortSignal;
  machine: string;
  clusterId: string;
  own: OwnNodes;
  rights?: MachineRights;
  resyncMs: number;
  clock: Clock;
  log: Logger;
  /** Called with every whole reading, whether it changed or not. */
  onWorld: (world: AgentWorld) => void;
  onSuperseded: (error: unknown) => void;
}

/** The pause after a failed reading, and between readings while the ledger lacks this machine, ms. */
const againMs = 1_000;

/**
 * Resolves when the session is over. Rejects with CLUSTER_MISMATCH where the registry is not our cluster's: nothing is
 * written into such a one, and the session is worth nothing.
 */
export async function followWorld(watch: SessionWatch): Promise<void> {
  const { client, machine, own, clock, log, onSuperseded } = watch;
  const over = new AbortController();
  const signal = AbortSignal.any([watch.signal, over.signal]);
  const bell = new Bell();
  const onNotice = (notice: WatchNotice) => {
    if (notice.kind === 'resync') own.doubt();
    bell.ring();
  };
  const configs = new ConfigWatch(client, onNotice);
  let keeping: Promise<void> | null = null;
  let prepared = false;
  try {
    while (!signal.aborted) {
      const pause = await (async () => {
        if (!prepared) await prepare(watch, onNotice);
        prepared = true;
        const world = await readWorld(client, machine, watch.clusterId, signal, watch.rights);
        watch.onWorld(world);
        if (world.ledger === 'foreign') throw world.error;
        // What serves stays registered also where the ledger lost its machine: so it is found again.
        keeping ??= own.keep(client, signal).catch(onSuperseded);
        if (world.ledger === 'missing') return againMs;
        if (world.assignment && typeof world.assignment === 'object') {
          // Changed between the reading and the new watch: read once more.
          if (await configs.of(world.assignment.service, signal)) return 0;
        }
        return watch.resyncMs;
      })().catch((error: unknown) => {
        if (isMcpError(error, 'CLUSTER_MISMATCH')) throw error;
        if (!signal.aborted) log.warn({ err: error }, 'the registry could not be read');
        return againMs;
      });
      const rang = await within(clock, pause, signal, (late) => bell.rung(late)).then(
        () => true,
        () => false,
      );
      if (!rang && pause === watch.resyncMs) own.doubt();
    }
  } finally {
    over.abort();
    await keeping;
  }
}

async function prepare({ client, machine, signal }: SessionWatch, onNotice: (notice: WatchNotice) => void) {
  await client.addWatch(paths.machine(machine), 'persistent-recursive', onNotice, { signal });
  await client.addWatch(paths.quarantine(machine), 'persistent', onNotice, { signal });
  // A new session may be with a server that lags behind what the last one showed: an assignment must not seem to be gone.
  await client.sync(paths.machines, { signal });
}

/** The watch on the configuration of the one service that is assigned. */
class ConfigWatch {
  readonly #client: RegistryClient;
  readonly #onNotice: (notice: WatchNotice) => void;
  #service = '';
  #handle: WatchHandle | null = null;

  constructor(client: RegistryClient, onNotice: (notice: WatchNotice) => void) {
    this.#client = client;
    this.#onNotice = onNotice;
  }

  /** True where the watch is new, so that what was read before it may be old. */
  async of(service: string, signal: AbortSignal): Promise<boolean> {
    if (service === this.#service) return false;
    await this.#handle?.close();
    this.#handle = null;
    this.#service = '';
    this.#handle = await this.#client.addWatch(paths.config(service), 'persistent', this.#onNotice, { signal });
    this.#service = service;
    return true;
  }
}
