/** Asks instances that vanished from the registry whether they still answer, by opening a TCP connection (P9). */
import { connect } from 'node:net';
import type { Clock } from '../registrar/clock.ts';
import type { KnownInstance } from './routes/route-table.ts';

const connectMs = 500;
const intervalMs = 1000;
/** A refused connection is proof; a silent one may be a lost packet. */
const silencesUntilDead = 2;

export class LossProbe {
  readonly #clock: Clock;
  readonly #silences = new Map<string, number>();
  #probing = false;
  #nextAt = 0;
  #dead: ReadonlySet<string> = new Set();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Paths of instances found dead when last asked. Another Set only if it has other members. */
  dead(): ReadonlySet<string> {
    return this.#dead;
  }

  /** Probes those missing, at most once a second; calls back when another set of them is dead. */
  look(known: readonly KnownInstance[], onChange: () => void): void {
    const missing = known.filter(({ missingSince }) => missingSince !== null);
    if (this.#probing || (missing.length === 0 && this.#dead.size === 0)) return;
    const asked = missing.some(({ path }) => !this.#silences.has(path));
    if (!asked && this.#clock.monotonic() < this.#nextAt) return;
    this.#probing = true;
    this.#nextAt = this.#clock.monotonic() + intervalMs;
    void this.#probeAll(missing).then((dead) => {
      this.#probing = false;
      const changed = dead.size !== this.#dead.size || [...dead].some((path) => !this.#dead.has(path));
      if (changed) this.#dead = dead;
      if (changed) onChange();
    });
  }

  async #probeAll(missing: readonly KnownInstance[]): Promise<Set<string>> {
    const present = new Set(missing.map(({ path }) => path));
    for (const path of this.#silences.keys()) if (!present.has(path)) this.#silences.delete(path);
    const dead = await Promise.all(
      missing.map(async (instance) => {
        const answer = await probe(instance.address, instance.port);
        const silences = answer === 'open' ? 0 : answer === 'refused' ? silencesUntilDead : this.#after(instance.path);
        this.#silences.set(instance.path, silences);
        return silences >= silencesUntilDead ? [instance.path] : [];
      }),
    );
    return new Set(dead.flat());
  }

  #after(path: string): number {
    return (this.#silences.get(path) ?? 0) + 1;
  }
}

function probe(address: string, port: number): Promise<'open' | 'refused' | 'silent'> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: connectMs });
    const end = (answer: 'open' | 'refused' | 'silent') => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => end('open'));
    socket.on('timeout', () => end('silent'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}
