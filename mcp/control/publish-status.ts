/** Tells people and the CLI what the leader last planned. */
import type { Clock } from '../../registrar/clock.ts';
import { paths } from '../../registrar/layout.ts';
import { commit } from '../../registrar/recipes/epoch-guard.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { ProviderRecord, StatusRecord } from '../../registrar/status-records.ts';
import { codecs, encode } from '../../registrar/store/codecs.ts';
import { canonicalJson } from '../../specs/canonical-json.ts';
import type { Plan } from '../plan/plan.ts';

/** Things told of each kind; beyond that a count: the node stays small however bad things are. */
const most = 100;
/** ms between two writes. */
const pauseMs = 1_000;

interface Leader {
  id: string;
  epoch: number;
  provider: ProviderRecord;
}

type ProviderFound = Pick<ProviderRecord, 'machines' | 'missingImages'>;

export class StatusPublisher {
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #leader: Leader;
  #found: ProviderFound = {};
  #told = '';
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(client: RegistryClient, clock: Clock, leader: Leader) {
    this.#client = client;
    this.#clock = clock;
    this.#leader = leader;
  }

  /**
   * Writes /status where there is something new to say; what comes faster than once a second waits for a later call. `found`:
   * what the provider was asked and may say otherwise next time; absent: it was not asked.
   */
  async publish(
    plan: Pick<Plan, 'generation' | 'waiting' | 'alarms'>,
    signal: AbortSignal,
    found: ProviderFound = this.#found,
  ): Promise<void> {
    const words = {
      generation: plan.generation,
      waiting: atMost(plan.waiting, (left) => ({
        what: 'everything',
        cause: 'more' as const,
        why: `${left} more things wait`,
      })),
      alarms: atMost(plan.alarms, (left) => ({ code: 'MORE', message: `${left} more alarms` })),
    };
    const text = canonicalJson({ ...words, found });
    const now = this.#clock.monotonic();
    if (text === this.#told || now - this.#toldAt < pauseMs) return;
    const { id, epoch, provider } = this.#leader;
    await this.#write(
      { ...words, provider: { ...provider, ...found }, epoch, leader: id, at: this.#clock.now() },
      signal,
    );
    this.#told = text;
    this.#found = found;
    this.#toldAt = now;
  }

  async #write(record: StatusRecord, signal: AbortSignal): Promise<void> {
    const data = encode(codecs.status, record);
    const there = await this.#client.exists(paths.status, { signal });
    const op = there
      ? ({ op: 'set', path: paths.status, data } as const)
      : ({ op: 'create', path: paths.status, data } as const);
    await commit(this.#client, record.epoch, [op], { signal });
  }
}

function atMost<T>(items: readonly T[], rest: (left: number) => T): T[] {
  return items.length <= most ? [...items] : [...items.slice(0, most - 1), rest(items.length - most + 1)];
}
