/** P12: what else befalls a rollout, and it ends all the same, forward or back, with the reason. */
import test from 'ava';
import { simulate } from './simulation.ts';

const seeds = [1, 2];

test.serial('a registry that goes away and comes back in the midst of it only takes time', async (t) => {
  for (const seed of seeds) {
    const result = await simulate({ seed, rollout: 'upgrade', meanwhile: 'registry-restarts', healMs: 300_000 });
    t.true(
      result.trace.some((line) => line.endsWith('the registry is away')),
      `seed ${seed}`,
    );
    t.true(
      result.trace.some((line) => line.endsWith('the registry is away')),
      `seed ${seed}`,
    );
    t.deepEqual([result.violations, result.unfinished, result.rollout], [[], [], 'done'], `seed ${seed}`);
  }
});

test.serial('a wall clock that jumps by hours every second ends no deadline and skips no waiting', async (t) => {
  for (const seed of seeds) {
    const steady = await simulate({ seed, rollout: 'upgrade', healMs: 300_000 });
    const jumping = await simulate({ seed, rollout: 'upgrade', meanwhile: 'clock-jumps', healMs: 300_000 });
    t.deepEqual([jumping.violations, jumping.unfinished, jumping.rollout], [[], [], 'done'], `seed ${seed}`);
    const steps = ({ rollouts }: typeof steady) => rollouts.dns?.log.map(({ phase }) => phase);
    t.deepEqual(steps(jumping), steps(steady), `seed ${seed}`);
  }
});

test.serial('with an empty pool each machine is made when it is claimed', async (t) => {
  for (const seed of seeds) {
    const result = await simulate({ seed, rollout: 'upgrade', pool: 0, healMs: 300_000 });
    t.deepEqual([result.violations, result.unfinished, result.rollout], [[], [], 'done'], `seed ${seed}`);
  }
});

test.serial(
  'where the quota leaves no room for one more, it goes by replacing, or back with the quota as the reason',
  async (t) => {
    const ends = new Set<string>();
    for (const seed of [...seeds, 7]) {
      // 4 of dns, 2 of web.
      const result = await simulate({ seed, rollout: 'upgrade', pool: 0, quota: 6, healMs: 300_000 });
      const { phase = '', settings, evidence = [] } = result.rollouts.dns ?? {};
      ends.add(phase);
      t.deepEqual([result.violations, result.unfinished], [[], []], `seed ${seed}`);
      t.is(phase, settings?.unavailable === 1 ? 'done' : 'reverted', `seed ${seed}`);
      if (phase === 'reverted') t.regex(evidence.join(), /1 wait for a machine.*quota leaves no room/, `seed ${seed}`);
    }
    t.deepEqual([...ends].sort(), ['done', 'reverted']);
  },
);
