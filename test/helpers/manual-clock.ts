import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../registrar/clock.ts';

interface Sleeper {
  due: number;
  wake: () => void;
}

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #elapsed = 0;
  #start: number;
  #sleepers: Sleeper[] = [];

  /** `start`: what `now()` says at first, ms since the Unix epoch. */
  constructor(start = 1_700_000_000_000) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** How many wait now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const stop = () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        due: this.#elapsed + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      signal?.addEventListener('abort', stop, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Sets the wall clock forward, or back where negative, as a person does or a time server; no time passes. */
  jump(ms: number): void {
    this.#start += ms;
  }

  /**
   * Moves time on by `ms`. Sleepers wake one by one, in order of their due times (equal ones in order of their sleeping), and
   * what each sets going has settled before the next wakes, so sleeps made on the way count too.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers.reduce<Sleeper | null>((a, b) => (a === null || b.due < a.due ? b : a), null);
      if (next === null || next.due > until) break;
      this.#elapsed = Math.max(this.#elapsed, next.due);
      this.#sleepers = this.#sleepers.filter((one) => one !== next);
      next.wake();
      await settle();
    }
    this.#elapsed = until;
  }
}

/** Lets promise chains that need no I/O and no timers run to their end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
}
