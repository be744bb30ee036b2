import test from 'ava';
import { simulate } from './simulation.ts';

const kinds = [
  'create',
  'note',
  'advance',
  'claim',
  'confirm',
  'configure',
  'drain',
  'retire',
  'condemn',
  'destroy',
  'bury',
  'readmit',
];
const points = [...kinds.flatMap((kind) => [`${kind}.before`, `${kind}.after`]), 'create.answered'];

for (const killAt of points) {
  test.serial(`a controller killed at ${killAt} leaves what its successor completes`, async (t) => {
    const { violations, unfinished, killed } = await simulate({ seed: 1, killAt, healMs: 300_000 });
    t.true(killed, 'the failpoint was reached');
    t.deepEqual(violations, []);
    t.deepEqual(unfinished, []);
  });
}
