import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { inSlices } from '../../proxy-daemon/in-slices.ts';
import type { Clock } from '../../registrar/clock.ts';

/** Work of `count` steps that takes one ms each, and notes in which turn of the event loop they were. */
function rig() {
  let [now, turn, isDone] = [0, 0, false];
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
  const stepsIn = [0];
  function* steps(count: number): Generator<void, number> {
    for (let step = 0; step < count; step += 1) {
      stepsIn[turn] = (stepsIn[turn] ?? 0) + 1;
      now += 1;
      yield;
    }
    return count;
  }
  const countTurns = async () => {
    while (!isDone) {
      turn += 1;
      stepsIn[turn] = 0;
      await nextTurn();
    }
  };
  // Before the others: in each turn what is counted comes first.
  const counted = countTurns();
  return {
    clock,
    begin: (count: number) => inSlices(steps(count), clock),
    stop: async () => {
      isDone = true;
      await counted;
    },
    stepsIn,
  };
}

test('all work in slices shares one slice of a turn of the event loop, and comes to its end', async (t) => {
  const { begin, stop, stepsIn } = rig();
  const all = await Promise.all([5, 6, 7].map(begin));
  await stop();
  t.deepEqual(all, [5, 6, 7]);
  t.is(
    stepsIn.reduce((sum, steps) => sum + steps, 0),
    18,
  );
  t.is(Math.max(...stepsIn), 2, stepsIn.join(' '));
});

test('short work does not wait for the end of long work that began before it', async (t) => {
  const { begin, stop } = rig();
  const ended: number[] = [];
  await Promise.all([1000, 4, 8].map((count) => begin(count).then(() => ended.push(count))));
  await stop();
  t.deepEqual(ended, [4, 8, 1000]);
});

test('work that fails rejects with its error, and the others go on', async (t) => {
  const { clock, begin, stop } = rig();
  const failing = (function* () {
    yield;
    throw new Error('as it must');
  })();
  const [failed, other] = await Promise.allSettled([inSlices(failing, clock), begin(3)]);
  await stop();
  t.like(failed, { status: 'rejected', reason: { message: 'as it must' } });
  t.like(other, { status: 'fulfilled', value: 3 });
});
