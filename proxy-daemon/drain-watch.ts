/**
 * Which instances that get no new requests may still have some in flight: what proof of drain says in dynamic mode. Pure
 * state, fed by what was published and by what nginx counts.
 */
export class DrainWatch {
  /** Instance key to the generation that took it out. */
  readonly #leaving = new Map<string, number>();

  /** `generation` routes to the instance no more. */
  removed(key: string, generation: number): void {
    this.#leaving.set(key, generation);
  }

  /** It is routed to again: what is in flight there is no concern any more. */
  added(key: string): void {
    this.#leaving.delete(key);
  }

  /** Counts taken while `generation` was in force. An instance taken out by then and without requests stays without. */
  counted(generation: number, busy: ReadonlyMap<string, number>): void {
    for (const [key, removedIn] of this.#leaving) {
      if (removedIn <= generation && !busy.has(key)) this.#leaving.delete(key);
    }
  }

  /** True while there is something to count. */
  isWaiting(): boolean {
    return this.#leaving.size > 0;
  }

  /** The oldest generation that may have a request in flight which the ones after it would not have sent there. */
  oldest(current: number): number {
    let oldest = current;
    for (const generation of this.#leaving.values()) oldest = Math.min(oldest, generation - 1);
    return oldest;
  }
}
