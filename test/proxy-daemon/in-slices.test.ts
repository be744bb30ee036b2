import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { inSlices } from '../../proxy-daemon/in-slices.ts';
import type { Clock } from '../../registrar/clock.ts';

test('all work in slices shares one slice of a turn of the event loop, and comes to its end', async (t) => {
  let [now, turn] = [0, 0];
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
  const stepsIn: number[] = [];
  function* steps(count: number): Generator<void, number> {
    for (let step = 0; step < count; step += 1) {
      stepsIn[turn] = (stepsIn[turn] ?? 0) + 1;
      now += 1;
      yield;
    }
    return count;
  }
  let isDone = false;
  const countTurns = async () => {
    for (; !isDone; turn += 1) await nextTurn();
  };
  // Before the others: in each turn what is counted comes first.
  const counted = countTurns();
  const all = await Promise.all([5, 6, 7].map((count) => inSlices(steps(count), clock)));
  isDone = true;
  await counted;
  t.deepEqual(all, [5, 6, 7]);
  // Two ms together, and whoever is waiting at least one step: not two for each.
  t.true(Math.max(...stepsIn) <= 4, stepsIn.join(' '));
});
