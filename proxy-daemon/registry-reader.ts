/**
 * What the gateway reads of the registry, kept current: all registrations and the declared environment, as one value that
 * is complete or not there. While the registry can't be read the last value stands (P9, P10).
 */

import type { Clock } from '../registrar/clock.ts';
import { parseRegistration } from '../registrar/dialects/native.ts';
import { paths } from '../registrar/layout.ts';
import { readDeclared } from '../registrar/recipes/desired-document.ts';
import { effectiveDesired } from '../registrar/recipes/effective-environment.ts';
import { MembershipCache } from '../registrar/recipes/membership-cache.ts';
import type { Membership, MembershipNode } from '../registrar/recipes/membership-state.ts';
import { readRollouts, withRollouts } from '../registrar/recipes/rollout-documents.ts';
import { SessionKeeper } from '../registrar/recipes/session-keeper.ts';
import type { DesiredRecord } from '../registrar/records.ts';
import type { ConnectRegistry, RegistryClient } from '../registrar/registry-client.ts';
import type { LiveRegistration, Rejected } from './routes/route-table.ts';

export interface RegistryReading {
  registrations: LiveRegistration[];
  /** Nodes that are no valid registration. */
  rejected: Rejected[];
  /** Null where nothing was ever declared. */
  desired: DesiredRecord | null;
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
  readonly #judged = new WeakMap<MembershipNode, LiveRegistration | Rejected | 'no registration'>();
  #membership: Membership | null = null;
  /** Undefined until read once. */
  #desired: DesiredRecord | null | undefined;
  #declared: DesiredRecord | null = null;
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
      const cache = new MembershipCache({ client, clock, root: paths.services, depth: registrationDepth });
      cache.onChange((membership) => {
        this.#membership = membership;
        this.#tell();
      });
      const work = this.#options.onSession(client, signal);
      await Promise.all([cache.start(signal), this.#followDesired(client, signal)]);
      this.#trouble('session', '');
      await work;
    } finally {
      stopLooking();
    }
  }

  /** Resolves after the first reading; then reads again after each change until the signal aborts. */
  async #followDesired(client: RegistryClient, signal: AbortSignal): Promise<void> {
    let changed = Promise.withResolvers<void>();
    await client.addWatch(paths.desired, 'persistent', () => changed.resolve(), { signal });
    // Weights are flipped there: one write, and every gateway follows.
    await client.addWatch(paths.rollouts, 'persistent-recursive', () => changed.resolve(), { signal });
    await this.#readDesired(client, signal);
    const again = async () => {
      while (!signal.aborted) {
        await changed.promise;
        changed = Promise.withResolvers();
        await this.#readDesired(client, signal);
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
        const [{ record, damage }, rollouts] = await withRollouts(
          client,
          () => readDeclared(client, { signal }),
          () => readRollouts(client, { signal, onDamage }),
          { signal },
        );
        if (record || !damage) this.#desired = record && effectiveDesired(this.#sameOr(record), rollouts);
        const trouble = `${paths.desired} can't be read: ${damage}; what was declared before stays in force`;
        this.#trouble('desired', damage ? trouble : '');
        this.#tell();
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble('desired', `${paths.desired} can't be read: ${messageOf(error)}`);
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

  #tell(): void {
    if (this.#membership === null || this.#desired === undefined) return;
    const registrations: LiveRegistration[] = [];
    const rejected: Rejected[] = [];
    for (const path of this.#membership.unreadable) rejected.push({ path, reason: 'the gateway may not read it' });
    for (const [path, node] of this.#membership.nodes) {
      const judged = this.#judge(path, node);
      if (judged === 'no registration') continue;
      if ('record' in judged) registrations.push(judged);
      else rejected.push(judged);
    }
    this.#options.onReading({ registrations, rejected, desired: this.#desired, asOf: this.#membership.asOf });
  }

  #judge(path: string, node: MembershipNode): LiveRegistration | Rejected | 'no registration' {
    const known = this.#judged.get(node);
    if (known) return known;
    const isRegistration = path.split('/').length === registrationDepth + 2;
    const judged = isRegistration ? this.#parse(path, node) : 'no registration';
    this.#judged.set(node, judged);
    return judged;
  }

  #parse(path: string, node: MembershipNode): LiveRegistration | Rejected {
    const { allowLoopback } = this.#options;
    const parsed = parseRegistration(path, node.data, node.stat, { allowLoopback });
    if (!parsed.ok) return { path, reason: parsed.reason };
    return { path, record: parsed.record, mzxid: node.stat.mzxid };
  }
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
