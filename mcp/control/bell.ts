/** Any number of "look again" between two looks is one. */
export class Bell {
  #rung = Promise.withResolvers<void>();

  ring(): void {
    this.#rung.resolve();
  }

  /** Resolves when it was rung since the last `reset`. */
  get rung(): Promise<void> {
    return this.#rung.promise;
  }

  reset(): void {
    this.#rung = Promise.withResolvers();
  }
}
