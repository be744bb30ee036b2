import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { mapBounded } from '../../../registrar/recipes/map-bounded.ts';

test('results come in order, with no more calls under way than allowed', async (t) => {
  let active = 0;
  let most = 0;
  const results = await mapBounded([5, 4, 3, 2, 1], 2, async (turns) => {
    active += 1;
    most = Math.max(most, active);
    for (let turn = 0; turn < turns; turn += 1) await nextTurn();
    active -= 1;
    return turns * 10;
  });
  t.deepEqual(results, [50, 40, 30, 20, 10]);
  t.is(most, 2);
  t.deepEqual(await mapBounded([], 3, async () => 1), []);
});

test('the first failure fails the whole and starts nothing more', async (t) => {
  const started: number[] = [];
  await t.throwsAsync(
    mapBounded([1, 2, 3, 4], 2, async (item) => {
      started.push(item);
      await nextTurn();
      if (item === 1) throw new Error('one');
      await nextTurn();
    }),
    { message: 'one' },
  );
  await nextTurn();
  await nextTurn();
  t.deepEqual(started, [1, 2]);
});
