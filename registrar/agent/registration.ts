/** One instance's registration: its state, its path, and leaving it without losing a request. */

import { canonicalJson } from '../../specs/canonical-json.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { AssignmentRecord, RegistrationRecord } from '../records.ts';
import type { RegistryClient } from '../registry-client.ts';
import { waitUntilDrained } from './drain.ts';
import type { OwnNodes } from './own-nodes.ts';
import { within } from './within.ts';

/** What of an assignment a registration tells. */
export type Registered = Pick<AssignmentRecord, 'service' | 'document'> & {
  version: { version: string; port: number; digest?: string };
};

/** A registry that is slow or away holds up a stop no longer than this, ms: the session's end takes the node away too. */
const withdrawMs = 1_000;

export class Registration {
  readonly #own: OwnNodes;
  readonly #client: () => RegistryClient | null;
  readonly #clock: Clock;
  readonly #machine: { uuid: string; address: string; zone?: string };
  #what: Registered | null = null;
  #state: RegistrationRecord['state'] | null = null;

  constructor(
    own: OwnNodes,
    client: () => RegistryClient | null,
    clock: Clock,
    machine: { uuid: string; address: string; zone?: string },
  ) {
    this.#own = own;
    this.#client = client;
    this.#clock = clock;
    this.#machine = machine;
  }

  /** What is wanted in the registry now; null: no registration. */
  get state(): RegistrationRecord['state'] | null {
    return this.#state;
  }

  /** Names the instance. One that an earlier session left is taken away until this one is registered. */
  of(what: Registered): void {
    if (this.#what && this.#path(this.#what) !== this.#path(what)) this.set(null);
    this.#what = what;
    this.#own.want(this.#path(what), null);
  }

  set(state: RegistrationRecord['state'] | null): void {
    if (!this.#what || state === this.#state) return;
    this.#state = state;
    this.#own.want(this.#path(this.#what), state && canonicalJson(this.#record(this.#what, state)), {
      makeParents: true,
    });
  }

  /** Takes it away, and waits a little for the registry to have done so. */
  async withdraw(): Promise<void> {
    this.set(null);
    const what = this.#what;
    if (!what || !this.#client()) return;
    await within(this.#clock, withdrawMs, undefined, (late) => this.#own.settled(this.#path(what), late)).catch(
      () => 0,
    );
  }

  /**
   * Resolves when the `draining` set before has reached every live gateway and their requests in flight are done, or after
   * `timeoutMs`. Says which.
   */
  async drained(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const what = this.#what;
    if (!what) return true;
    const clock = this.#clock;
    const start = clock.monotonic();
    const written = within(clock, timeoutMs, signal, (late) => this.#own.settled(this.#path(what), late));
    const since = await written.catch(() => null);
    if (since === null) return false;
    const left = Math.max(0, timeoutMs - (clock.monotonic() - start));
    return waitUntilDrained({ client: this.#client, since, timeoutMs: left, clock, signal });
  }

  #path(what: Registered): string {
    return paths.registration(what.service, what.version.version, this.#machine.uuid);
  }

  #record(what: Registered, state: RegistrationRecord['state']): RegistrationRecord {
    return {
      schema: 1,
      service: what.service,
      version: what.version.version,
      machine: this.#machine.uuid,
      address: this.#machine.address,
      port: what.version.port,
      state,
      ...(what.document !== undefined && { document: what.document }),
      ...(what.version.digest !== undefined && { digest: what.version.digest }),
      ...(this.#machine.zone !== undefined && { zone: this.#machine.zone }),
      at: this.#clock.now(),
    };
  }
}
