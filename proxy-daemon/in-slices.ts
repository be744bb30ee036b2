/** Long work that lets other work through: what serves must never wait for what is told about it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../registrar/clock.ts';

/**
 * Longest time between two looks at other work, ms. Garbage collection and answers that came in meanwhile are in the same turn, and a
 * step of code that never ran takes several times as long as the same step later.
 */
const sliceMs = 2;

/** When the first work in slices began in this turn of the event loop: all of it shares one slice. */
const begun = new WeakMap<Clock, number>();

/** Runs a generator to its end; wherever it yields, others may have their turn. */
export async function inSlices<T>(work: Generator<unknown, T>, clock: Clock): Promise<T> {
  for (;;) {
    const since = turnBegan(clock);
    const step = work.next();
    if (step.done) return step.value;
    if (clock.monotonic() - since >= sliceMs) await nextTurn();
  }
}

function turnBegan(clock: Clock): number {
  const known = begun.get(clock);
  if (known !== undefined) return known;
  const now = clock.monotonic();
  begun.set(clock, now);
  setImmediate(() => begun.delete(clock));
  return now;
}
