/** Long work that lets other work through: what serves must never wait for what is told about it. */
import type { Clock } from '../registrar/clock.ts';

/**
 * Longest time between two looks at other work, ms, of all work in slices together. Garbage collection and answers that came in
 * meanwhile are in the same turn of the event loop, and a step of code that never ran takes several times as long as the same step later.
 */
const sliceMs = 2;

/** Takes one step; true at the end. */
type Work = () => boolean;

/** All work in slices that is under way: one slice in a turn of the event loop, and each has its turn. */
class Slices {
  readonly #clock: Clock;
  readonly #works: Work[] = [];
  #isRunning = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(work: Work): void {
    this.#works.push(work);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    const end = this.#clock.monotonic() + sliceMs;
    do {
      const work = this.#works.shift();
      if (work && !isDoneBefore(work, end, this.#clock)) this.#works.push(work);
    } while (this.#works.length > 0 && this.#clock.monotonic() < end);
    this.#isRunning = this.#works.length > 0;
    if (this.#isRunning) setImmediate(this.#turn);
  };
}

function isDoneBefore(work: Work, end: number, clock: Clock): boolean {
  do {
    if (work()) return true;
  } while (clock.monotonic() < end);
  return false;
}

const slices = new WeakMap<Clock, Slices>();

/** Runs a generator to its end, beginning in a later turn of the event loop; wherever it yields, others may have their turn. */
export function inSlices<T>(work: Generator<unknown, T>, clock: Clock): Promise<T> {
  const all = slices.get(clock) ?? new Slices(clock);
  slices.set(clock, all);
  return new Promise((resolve, reject) => {
    all.add(() => {
      try {
        const step = work.next();
        if (step.done) resolve(step.value);
        return step.done === true;
      } catch (error) {
        reject(error);
        return true;
      }
    });
  });
}
