import test from 'ava';
import type { PlantedBug } from './sim-controller.ts';
import { simulate } from './simulation.ts';

for (const seed of [1, 2, 3, 5, 8]) {
  test.serial(`seed ${seed}: faults break no promise, and once they end the world becomes as declared`, async (t) => {
    const { violations, unfinished } = await simulate({ seed });
    t.deepEqual(violations, [], `node test/sim/main.ts ${seed}`);
    t.deepEqual(unfinished, [], `node test/sim/main.ts ${seed}`);
  });
}

for (const seed of [105, 113, 114]) {
  test.serial(
    `seed ${seed}: what is left of a rollout's grant pays for no machine that goes for another reason`,
    async (t) => {
      const { violations } = await simulate({ seed, healMs: 60_000 });
      t.deepEqual(violations, [], `node test/sim/main.ts ${seed}`);
    },
  );
}

test.serial('the same seed gives the same trace, byte for byte', async (t) => {
  const options = { seed: 13, chaosMs: 60_000, healMs: 60_000 };
  const [one, two] = [await simulate(options), await simulate(options)];
  t.true(one.trace.length > 50);
  t.is(one.trace.join('\n'), two.trace.join('\n'));
  const other = await simulate({ ...options, seed: 14 });
  t.not(one.trace.join('\n'), other.trace.join('\n'));
});

/** The promise that each planted bug breaks, and seeds that bring it out. */
const bugs: [PlantedBug, string][] = [
  ['no-epoch-check', 'P8'],
  ['no-budget', 'P2'],
  ['destroy-without-tombstone', 'P1'],
  ['claim-twice', 'P5'],
  ['no-verification', 'P5'],
];

for (const [bug, promise] of bugs) {
  test.serial(`the planted bug ${bug} is caught as a breach of ${promise}`, async (t) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const { violations } = await simulate({ seed, bug, healMs: 0 });
      if (violations.some((violation) => violation.startsWith(`${promise}:`))) {
        t.pass();
        return;
      }
    }
    t.fail(`no seed brought it out`);
  });
}
