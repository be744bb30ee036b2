/** Provider calls that go on while the controller looks again: a cloud that takes seconds holds up no claim. */
export class SlowCalls {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  readonly #urgent: (() => Promise<void>)[] = [];
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #busy = new Set<string>();

  /** `limit`: calls under way at a time. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True while a call about this machine is under way or waits for its turn. */
  isBusy(uuid: string): boolean {
    return this.#busy.has(uuid);
  }

  /** Runs the call as soon as there is room, urgent ones first. It must handle its own errors. */
  start(uuid: string, call: () => Promise<void>, { urgent = false } = {}): void {
    this.#busy.add(uuid);
    (urgent ? this.#urgent : this.#waiting).push(() => call().finally(() => this.#busy.delete(uuid)));
    this.#fill();
  }

  /** Resolves when none is under way any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #fill(): void {
    while (this.#running.size < this.#limit) {
      const call = this.#urgent.shift() ?? this.#waiting.shift();
      if (!call) return;
      const running = call().finally(() => {
        this.#running.delete(running);
        this.#fill();
      });
      this.#running.add(running);
    }
  }
}
