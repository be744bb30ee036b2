/** One service of a foreign registry, kept current through sessions; while it can't be read, the last reading stands. */
import type { Clock } from '../../registrar/clock.ts';
import { MembershipCache } from '../../registrar/recipes/membership-cache.ts';
import type { Membership } from '../../registrar/recipes/membership-state.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { ForeignRegistry, ForeignService } from '../../specs/nouns.ts';
import { absorbFlaps, noFlaps } from '../routes/absorb-flaps.ts';
import type { LiveRegistration, Rejected } from '../routes/route-table.ts';
import { foreignRegistrations, pathPrefix } from './foreign-registrations.ts';

export interface ForeignServiceOptions {
  registry: ForeignRegistry;
  service: ForeignService;
  clock: Clock;
  allowLoopback: boolean;
  /** Something differs: look again. */
  onChange: () => void;
  /** Ends it. */
  signal: AbortSignal;
}

/** Between two tries to read what can't be read, ms. */
const againMs = 2000;

export class ForeignServiceWatch {
  readonly service: ForeignService;
  readonly registry: ForeignRegistry;
  /** Before the paths of its instances. */
  readonly prefix: string;
  readonly #options: ForeignServiceOptions;
  #membership: Membership | null = null;
  #registrations: readonly LiveRegistration[] = [];
  #rejected: readonly Rejected[] = [];
  #flaps = noFlaps;
  #due: number | null = null;
  #problem = 'not read yet';
  #away = '';

  constructor(options: ForeignServiceOptions) {
    this.#options = options;
    this.service = options.service;
    this.registry = options.registry;
    this.prefix = `${pathPrefix(options.registry)}${options.service.path}/`;
  }

  /** False until it was read once. */
  get isRead(): boolean {
    return this.#membership !== null;
  }

  get registrations(): readonly LiveRegistration[] {
    return this.#registrations;
  }

  get rejected(): readonly Rejected[] {
    return this.#rejected;
  }

  /** Why it can't be read just now; empty where it can. */
  get problem(): string {
    return this.#away || this.#problem;
  }

  /** Follows it for one session; settles soon after `session` aborts. */
  async follow(client: RegistryClient, session: AbortSignal): Promise<void> {
    const { clock, service } = this.#options;
    while (!session.aborted) {
      const cache = new MembershipCache({ client, clock, root: service.path, depth: 1, mayLack: true });
      cache.onChange((membership) => this.#take(membership));
      const ended = new Promise<unknown>((resolve) => cache.onEnd(resolve));
      try {
        await cache.start(session);
        this.lost('');
        this.lost(reasonOf(await ended));
      } catch (error) {
        this.lost(reasonOf(error));
      }
      await clock.sleep(againMs, session).catch(() => {});
    }
  }

  /** What is wrong with reading it; the last reading stands. */
  lost(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onChange();
  }

  /** Why nothing can be read while the session lasts; empty where it can. */
  away(problem: string): void {
    if (problem === this.#away) return;
    this.#away = problem;
    this.#options.onChange();
  }

  #take(membership: Membership): void {
    const isSame =
      this.#membership?.nodes === membership.nodes && this.#membership.unreadable === membership.unreadable;
    if (isSame) return;
    this.#membership = membership;
    this.#settle();
  }

  #settle(): void {
    const { registry, service, clock, allowLoopback, onChange, signal } = this.#options;
    if (this.#membership === null) return;
    const read = foreignRegistrations(registry, service, this.#membership, this.#registrations, { allowLoopback });
    const now = clock.monotonic();
    const { registrations, memory, due } = absorbFlaps(this.#flaps, read.registrations, now, registry.graceMs);
    this.#registrations = registrations;
    this.#rejected = read.rejected;
    this.#flaps = memory;
    if (due !== null && due !== this.#due) {
      const end = () => {
        // A timer may be early by a fraction: then it is set once more.
        this.#due = null;
        this.#settle();
      };
      void clock.sleep(Math.max(1, due - now), signal).then(end, () => {});
    }
    this.#due = due;
    onChange();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
