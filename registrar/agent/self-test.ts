/** The self-test of a machine: what needs no registry begins with the agent, the rest follows when there is one. */
import type { Clock } from '../clock.ts';
import type { SelfTestFigure, SelfTestRecord } from '../records.ts';
import { measureMachine, measureNetwork, type NetworkTest } from './measurements.ts';

export class SelfTest {
  /** Null until it is finished. */
  record: SelfTestRecord | null = null;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #sourceOf: NetworkTest['sourceOf'];
  #machine: Promise<SelfTestFigure[]> | null = null;
  #startedAt = 0;
  #finishing = false;

  constructor(dir: string, clock: Clock, sourceOf: NetworkTest['sourceOf']) {
    this.#dir = dir;
    this.#clock = clock;
    this.#sourceOf = sourceOf;
  }

  start(): void {
    this.#startedAt = this.#clock.monotonic();
    this.#machine = measureMachine(this.#dir, this.#clock);
  }

  /** True where this call finished it; one at a time. Rejects where the registry does not answer; then it may be tried again. */
  async finish(network: Omit<NetworkTest, 'clock' | 'sourceOf'>): Promise<boolean> {
    if (this.#finishing || this.record) return false;
    this.#finishing = true;
    try {
      const machine = (await this.#machine) ?? [];
      const found = await measureNetwork({ ...network, clock: this.#clock, sourceOf: this.#sourceOf });
      const tookMs = Math.round(this.#clock.monotonic() - this.#startedAt);
      this.record = { at: this.#clock.now(), tookMs, figures: [...machine, ...found] };
      return true;
    } finally {
      this.#finishing = false;
    }
  }
}
