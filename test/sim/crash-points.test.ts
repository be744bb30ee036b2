import test from 'ava';
import { failpoints } from './failpoints.ts';
import { simulate } from './simulation.ts';

for (const killAt of failpoints.life) {
  test.serial(`a controller killed at ${killAt} leaves what its successor completes`, async (t) => {
    const { violations, unfinished, killed } = await simulate({ seed: 1, killAt, healMs: 300_000 });
    t.true(killed, 'the failpoint was reached');
    t.deepEqual(violations, []);
    t.deepEqual(unfinished, []);
  });
}
