/**
 * What the gateway reads of the registry, kept current: all registrations and the declared environment, as one value that
 * is complete or not there. While the registry can't be read the last value stands (P9, P10).
 */

import type { Clock } from '../registrar/clock.ts';
import { ledgerProblem, parseRegistration } from '../registrar/dialects/native.ts';
import { paths } from '../registrar/layout.ts';
import { readDeclared } from '../registrar/recipes/desired-document.ts';
import { effectiveDesired } from '../registrar/recipes/effective-environment.ts';
import { MembershipCache } from '../registrar/recipes/membership-cache.ts';
import type { Membership, MembershipNode } from '../registrar/recipes/membership-state.ts';
import { readReleases } from '../registrar/recipes/releases.ts';
import { withRollouts } from '../registrar/recipes/rollout-documents.ts';
import { SessionKeeper } from '../registrar/recipes/session-keeper.ts';
import type { DesiredRecord, ReleasesRecord } from '../registrar/records.ts';
import type { ConnectRegistry, RegistryClient } from '../registrar/registry-client.ts';
import { isMcpError } from '../specs/errors.ts';
import type { WatchedOperation } from './gateway-backend.ts';
import { machineIn } from './ledger-view.ts';
import { leftOut } from './left-out.ts';
import { rolloutStates, watchedOperations } from './rollout-states.ts';
import { RegistrationIndex } from './routes/registration-index.ts';
import type { LiveRegistration, Rejected } from './routes/route-table.ts';
import type { RolloutState } from './status-report.ts';

export interface RegistryReading {
  registrations: RegistrationIndex;
  /** Services whose registrations differ from the reading before; null: any may. */
  changed: ReadonlySet<string> | null;
  /** Nodes that are no valid registration. */
  rejected: Rejected[];
  /** Null where nothing was ever declared. */
  desired: DesiredRecord | null;
  /** What operators let go of. */
  releases: ReleasesRecord['releases'];
  /** Of the rollouts that count for `desired`: the same list as long as it is the same one. */
  rollouts: readonly RolloutState[];
  /** Operations whose calls are to be counted. */
  watched: readonly WatchedOperation[];
  /** Every registration change up to this zxid is in here. */
  asOf: number;
}

export interface RegistryReaderOptions {
  connect: ConnectRegistry;
  clock: Clock;
  allowLoopback: boolean;
  onReading: (reading: RegistryReading) => void;
  /** While a session lives; `signal` aborts with it. Must settle soon after. */
  onSession: (client: RegistryClient, signal: AbortSignal) => Promise<void>;
  /** Why the registry can't be read just now; empty once it can again. */
  onTrouble: (reason: string) => void;
}

/** Levels below /services: service, version, machine. */
const registrationDepth = 3;
const rereadDelayMs = 1000;

export class RegistryReader {
  readonly #options: RegistryReaderOptions;
  /** A node object stands for one version of one znode, so each is judged once. */
  readonly #judged = new WeakMap<MembershipNode, LiveRegistration | Rejected>();
  #membership: Membership | null = null;
  #ledger: Membership | null = null;
  /** Registrations by the machine they name: what the ledger says of one may change what its registration is worth. */
  readonly #ofMachine = new Map<string, Set<string>>();
  #nodes: Membership['nodes'] | null = null;
  #registrations = new RegistrationIndex();
  readonly #rejected = new Map<string, Rejected>();
  /** Undefined until read once. */
  #desired: DesiredRecord | null | undefined;
  #releases: ReleasesRecord['releases'] = [];
  #declared: DesiredRecord | null = null;
  #rollouts: readonly RolloutState[] = [];
  /** Services that have a rollout. */
  #rolledOut: readonly string[] = [];
  #watched: readonly WatchedOperation[] = [];
  /** What is wrong, by what it concerns; empty where nothing is. */
  readonly #troubles = { session: '', desired: '' };

  constructor(options: RegistryReaderOptions) {
    this.#options = options;
  }

  /** Runs until `signal` aborts. Rejects only where no retry can help (wrong credentials). */
  async run(signal: AbortSignal): Promise<void> {
    const { connect, clock } = this.#options;
    const keeper = new SessionKeeper({
      connect,
      clock,
      onSession: (client, session) => this.#live(client, session),
      onLost: (reason) => this.#trouble('session', messageOf(reason)),
    });
    await keeper.run(signal);
  }

  async #live(client: RegistryClient, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const stopLooking = client.onState((state) => {
      this.#trouble('session', state === 'connected' ? '' : `the registry is ${state}`);
    });
    try {
      this.#membership = null;
      this.#ledger = null;
      const cache = new MembershipCache({ client, clock, root: paths.services, depth: registrationDepth });
      cache.onChange((membership, changed) => {
        this.#membership = membership;
        this.#tell(this.#take(membership, changed));
      });
      // Not required: an agent that runs beside some process needs no ledger, nor does its gateway.
      const ledger = new MembershipCache({ client, clock, root: paths.machines, depth: 1, mayLack: true });
      ledger.onChange((membership, changed) => {
        const isSame = this.#ledger?.nodes === membership.nodes;
        this.#ledger = membership;
        if (!isSame) this.#tell(this.#judgeAgain(changed));
      });
      const work = this.#options.onSession(client, signal);
      await Promise.all([
        cache.start(signal),
        ledger.start(signal),
        this.#follow(client, [paths.desired, paths.rollouts], () => this.#readDesired(client, signal), signal),
        this.#follow(client, [paths.released], () => this.#readReleases(client, signal), signal),
      ]);
      this.#trouble('session', '');
      await work;
    } finally {
      stopLooking();
    }
  }

  /** Resolves after the first reading; then reads again after each change until the signal aborts. */
  async #follow(
    client: RegistryClient,
    watched: string[],
    read: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let changed = Promise.withResolvers<void>();
    for (const path of watched) {
      // A weight is flipped below the rollouts: one write, and every gateway follows.
      await client.addWatch(path, 'persistent-recursive', () => changed.resolve(), { signal });
    }
    await read();
    const again = async () => {
      while (!signal.aborted) {
        await changed.promise;
        changed = Promise.withResolvers();
        await read();
      }
    };
    const stop = () => changed.resolve();
    signal.addEventListener('abort', stop, { once: true });
    void again().catch(() => {});
  }

  /**
   * Retries until read. A document that is not valid, or gone, is not believed: its newest good copy in the history is. Where
   * the history is gone too, what was read before stays in force, or else the last good configuration.
   */
  async #readDesired(client: RegistryClient, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const onDamage = (reason: string) => this.#trouble('desired', reason);
        const [{ record, damage }, rollouts] = await withRollouts(client, () => readDeclared(client, { signal }), {
          signal,
          onDamage,
          known: this.#rolledOut,
        });
        this.#rolledOut = Object.keys(rollouts);
        if (record || !damage) {
          this.#desired = record && effectiveDesired(this.#sameOr(record), rollouts);
          this.#rollouts = rolloutStates(rollouts);
          this.#watched = watchedOperations(rollouts);
        }
        const trouble = `${paths.desired} can't be read: ${damage}; what was declared before stays in force`;
        this.#trouble('desired', damage ? trouble : '');
        this.#tell(null);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble('desired', `${paths.desired} can't be read: ${messageOf(error)}`);
        await this.#options.clock.sleep(rereadDelayMs, signal).catch(() => {});
      }
    }
  }

  /** Retries until read; what is damaged releases nothing. */
  async #readReleases(client: RegistryClient, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#releases = (await readReleases(client, { signal })).releases;
        this.#tell(null);
        return;
      } catch (error) {
        if (isMcpError(error, 'RECORD_INVALID')) return;
        await this.#options.clock.sleep(rereadDelayMs, signal).catch(() => {});
      }
    }
  }

  /** The object that is known where it is the same declaration: what is made from its services need not be made anew. */
  #sameOr(record: DesiredRecord): DesiredRecord {
    const known = this.#declared;
    const same = known?.generation === record.generation && known.digest === record.digest;
    if (!same) this.#declared = record;
    return same ? known : record;
  }

  #trouble(what: 'session' | 'desired', reason: string): void {
    this.#troubles[what] = reason;
    this.#options.onTrouble(this.#troubles.session || this.#troubles.desired);
  }

  #tell(changed: ReadonlySet<string> | null): void {
    if (this.#membership === null || this.#ledger === null || this.#desired === undefined) return;
    const { asOf, unreadable } = this.#membership;
    const refused = [...unreadable].map((path) => leftOut(path, 'the gateway may not read it'));
    this.#options.onReading({
      registrations: this.#registrations,
      changed,
      rejected: [...refused, ...this.#rejected.values()],
      desired: this.#desired,
      rollouts: this.#rollouts,
      watched: this.#watched,
      releases: this.#releases,
      asOf,
    });
  }

  /** Judges the nodes that changed; gives the services that they belong to. */
  #take(membership: Membership, changed: ReadonlySet<string> | null): ReadonlySet<string> | null {
    // Nothing may have changed though everything was read.
    if (membership.nodes === this.#nodes) return new Set();
    this.#nodes = membership.nodes;
    if (changed === null) {
      this.#judgeAll(membership);
      return null;
    }
    for (const path of changed) {
      const node = membership.nodes.get(path);
      // What goes takes along all below it; what comes above a registration is none itself.
      if (node && depthOf(path) !== registrationDepth) continue;
      this.#forget(path);
      if (node) this.#judge(path, node);
    }
    return new Set([...changed].map(serviceOf).filter((service) => service !== ''));
  }

  /** Judges what machines of the ledger registered whose entries changed (null: any may have); gives the services concerned. */
  #judgeAgain(machines: ReadonlySet<string> | null): ReadonlySet<string> | null {
    const nodes = this.#membership?.nodes;
    if (!this.#membership || !nodes) return new Set();
    if (machines === null) {
      this.#judgeAll(this.#membership);
      return null;
    }
    const registered = [...machines].flatMap((path) => [...(this.#ofMachine.get(machineOf(path)) ?? [])]);
    for (const path of registered) {
      const node = nodes.get(path);
      this.#forget(path);
      if (node) this.#judge(path, node);
    }
    return new Set(registered.map(serviceOf));
  }

  #judgeAll(membership: Membership): void {
    this.#registrations = new RegistrationIndex();
    this.#rejected.clear();
    this.#ofMachine.clear();
    for (const [path, node] of membership.nodes) this.#judge(path, node);
  }

  /** What is known of the node at a path and of all below it. */
  #forget(path: string): void {
    this.#registrations.delete(serviceOf(path), path);
    for (const known of this.#rejected.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#rejected.delete(known);
    }
  }

  #judge(path: string, node: MembershipNode): void {
    if (depthOf(path) !== registrationDepth) return;
    const judged = this.#judged.get(node) ?? this.#parse(path, node);
    this.#judged.set(node, judged);
    if (!('record' in judged)) {
      this.#rejected.set(path, judged);
      return;
    }
    const { machine } = judged.record;
    this.#ofMachine.set(machine, (this.#ofMachine.get(machine) ?? new Set()).add(path));
    const problem = ledgerProblem(judged.record, this.#ledger ? machineIn(this.#ledger, machine) : undefined);
    if (problem === null) this.#registrations.add(judged);
    else this.#rejected.set(path, leftOut(path, problem));
  }

  #parse(path: string, node: MembershipNode): LiveRegistration | Rejected {
    const { allowLoopback } = this.#options;
    const parsed = parseRegistration(path, node.data, node.stat, { allowLoopback });
    if (!parsed.ok) return leftOut(path, parsed.reason);
    return { path, record: parsed.record, mzxid: node.stat.mzxid };
  }
}

/** Levels below /services. */
function depthOf(path: string): number {
  return path.split('/').length - 2;
}

/** Of a path below /machines. */
function machineOf(path: string): string {
  return path.split('/')[2] ?? '';
}

/** Empty for /services itself. */
function serviceOf(path: string): string {
  return path.split('/')[2] ?? '';
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
