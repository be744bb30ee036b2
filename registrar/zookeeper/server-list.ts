/** Which server to try next, and how long to wait before it. Pure: randomness is an argument. */
import type { Server } from './connect-string.ts';

/** ms */
const firstRoundJitter = 50;
const shortest = 100;
const longest = 3000;

export class ServerList {
  readonly #servers: Server[];
  readonly #random: () => number;
  #next = 0;
  #failures = 0;

  /** Shuffled once, so that clients spread over the servers. `random` gives numbers in [0, 1). */
  constructor(servers: readonly Server[], random: () => number) {
    this.#servers = shuffled(servers, random);
    this.#random = random;
  }

  get size(): number {
    return this.#servers.length;
  }

  /**
   * The next server in turn and the ms to wait before trying it: hardly any in the first round through all servers (the
   * session is running out), then doubling up to 3 s, with jitter so that clients don't come back in step.
   */
  next(): { server: Server; delayMs: number } {
    const server = this.#servers[this.#next % this.#servers.length];
    if (!server) throw new RangeError('no servers');
    this.#next += 1;
    const attempt = this.#failures++;
    if (attempt === 0) return { server, delayMs: 0 };
    const round = Math.floor(attempt / this.#servers.length);
    if (round === 0) return { server, delayMs: this.#random() * firstRoundJitter };
    const ceiling = Math.min(longest, shortest * 2 ** Math.min(round - 1, 10));
    return { server, delayMs: ceiling * (0.5 + this.#random() / 2) };
  }

  /** The server proved to work: the next break starts over. */
  succeeded(): void {
    this.#failures = 0;
  }
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const keyed = values.map((value) => ({ value, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
}
