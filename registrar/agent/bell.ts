/** "Something changed, look again": rings are not counted, and none is lost between two looks of its one waiter. */
export class Bell {
  #rung = false;
  #waiters = new Set<() => void>();

  ring(): void {
    this.#rung = this.#waiters.size === 0;
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /** Resolves at the next ring, at once where it rang since the last wait; rejects with the signal's reason. */
  rung(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#rung) {
        this.#rung = false;
        return resolve();
      }
      const wake = () => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      const stop = () => {
        this.#waiters.delete(wake);
        reject(signal.reason);
      };
      this.#waiters.add(wake);
      signal.addEventListener('abort', stop, { once: true });
    });
  }
}
