/** Things that happen later on an injected clock, in a fixed order: by due time, then by order of planning. */
import type { Clock } from '../../registrar/clock.ts';

interface Due {
  at: number;
  order: number;
  run: () => void;
}

export class Schedule {
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #due: Due[] = [];
  #planned = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `run` when `ms` have passed; at once for 0. */
  after(ms: number, run: () => void): void {
    if (ms <= 0) {
      run();
      return;
    }
    this.#planned += 1;
    this.#due.push({ at: this.#clock.monotonic() + ms, order: this.#planned, run });
    this.#clock.sleep(ms, this.#closing.signal).then(
      () => this.catchUp(),
      () => {},
    );
  }

  /** Runs all that is due by now: a reader must not depend on whether the clock's sleepers woke before it. */
  catchUp(): void {
    for (;;) {
      const now = this.#clock.monotonic();
      const next = this.#due
        .filter((due) => due.at <= now)
        .sort((a, b) => a.at - b.at || a.order - b.order)
        .at(0);
      if (!next) return;
      this.#due = this.#due.filter((due) => due !== next);
      next.run();
    }
  }

  /** Wakes nothing any more; what is due still happens at the next catchUp. */
  close(): void {
    this.#closing.abort();
  }
}
