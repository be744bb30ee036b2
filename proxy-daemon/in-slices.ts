/** Long work that lets other work through: what serves must never wait for what is told about it. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../registrar/clock.ts';

/** Longest time between two looks at other work, ms. */
const sliceMs = 4;

/** Runs a generator to its end; wherever it yields, others may have their turn. */
export async function inSlices<T>(work: Generator<unknown, T>, clock: Clock): Promise<T> {
  let begun = clock.monotonic();
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (clock.monotonic() - begun < sliceMs) continue;
    await setImmediate();
    begun = clock.monotonic();
  }
}
