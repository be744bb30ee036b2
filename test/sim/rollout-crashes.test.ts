/** P12: the controller is killed after every step that a rollout writes, on each of the ways that it can go. */
import test from 'ava';
import { failpoints } from './failpoints.ts';
import { type SimulationOptions, simulate } from './simulation.ts';

type Way = NonNullable<SimulationOptions['rollout']>;

/** How each way ends, and the first of its steps that no other way has already been killed at. */
const ways: [Way, 'done' | 'reverted', number][] = [
  ['upgrade', 'done', 1],
  ['failure', 'reverted', 1],
  ['abort', 'reverted', 1],
  ['scaled', 'done', 11],
];

for (const [rollout, end, first] of ways) {
  test.serial(`a rollout (${rollout}) whose controller is killed after any of its steps ends as ${end}`, async (t) => {
    t.timeout(240_000);
    for (let killTurn = first; ; killTurn += 1) {
      const result = await simulate({ seed: 1, rollout, killAt: 'roll.after', killTurn, healMs: 300_000 });
      const step = `killed after step ${killTurn}`;
      t.deepEqual(result.violations, [], step);
      t.deepEqual(result.unfinished, [], step);
      t.is(result.rollout, end, step);
      // The last turn is one too many: that run was whole.
      if (!result.killed) break;
    }
  });
}

test.serial('undo whose controller is killed after any of its steps ends with what ran before', async (t) => {
  for (let killTurn = 1; ; killTurn += 1) {
    const result = await simulate({ seed: 1, rollout: 'undo', killAt: 'roll.after', killTurn, healMs: 300_000 });
    const step = `killed after step ${killTurn}`;
    t.deepEqual([result.violations, result.unfinished, result.rollout], [[], [], 'done'], step);
    t.is(result.rollouts.dns?.kind, 'undo', step);
    if (!result.killed) break;
  }
});

/** Where machines are few, and old ones have gone already, each comes to every failpoint there is in a rollout. */
const whole: [Way, 'done' | 'reverted'][] = [
  ['upgrade', 'done'],
  ['late-abort', 'reverted'],
  ['late-undo', 'done'],
];

for (const [rollout, end] of whole) {
  test.serial(
    `a rollout (${rollout}) ends as ${end} though a controller is killed at every failpoint in turn`,
    async (t) => {
      const result = await simulate({ seed: 1, rollout, killAtEach: true, healMs: 300_000 });
      t.deepEqual([result.violations, result.unfinished, result.rollout], [[], [], end]);
      t.deepEqual(
        [...result.killedAt].sort(),
        [...failpoints.rollout].sort(),
        'each was reached, and there are no others',
      );
    },
  );
}

const acts = ['claim.after', 'confirm.before', 'drain.after', 'retire.after', 'destroy.after', 'create.answered'];

test.serial('between its steps too: killed once, at what an upgrade or an abort has done to a machine', async (t) => {
  for (const killAt of acts) {
    for (const [rollout, end] of whole.slice(0, 2)) {
      const result = await simulate({ seed: 1, rollout, killAt, healMs: 300_000 });
      t.true(result.killed, `${rollout} comes to ${killAt}`);
      t.deepEqual([result.violations, result.unfinished, result.rollout], [[], [], end], `${rollout} at ${killAt}`);
    }
  }
});

/** The steps of web's rollout, and when it left its waiting. */
function phasesOf({ rollouts }: Awaited<ReturnType<typeof simulate>>, service: string): string[] {
  return [...new Set(rollouts[service]?.log.map(({ phase }) => phase))];
}

test.serial('rollouts in an order keep to it, wherever their controller is killed', async (t) => {
  t.timeout(240_000);
  // Every step alone is killed above; here those at which one hands over to the next are met.
  for (let killTurn = 1; ; killTurn += killTurn < 6 ? 1 : 5) {
    const result = await simulate({ seed: 1, rollout: 'ordered', killAt: 'roll.after', killTurn, healMs: 300_000 });
    const step = `killed after step ${killTurn}`;
    t.deepEqual(result.violations, [], step);
    t.deepEqual(result.unfinished, [], step);
    const { dns, web, mail } = result.rollouts;
    t.deepEqual([dns?.phase, web?.phase, mail?.phase], ['done', 'done', 'done'], step);
    const begun = web?.log.find(({ phase }) => phase === 'checking')?.at ?? 0;
    t.true(begun >= (dns?.log.find(({ phase }) => phase === 'done')?.at ?? Number.POSITIVE_INFINITY), step);
    const beside = mail?.log.find(({ phase }) => phase === 'rolling')?.at ?? Number.POSITIVE_INFINITY;
    t.true(beside < begun, 'mail waits for nobody');
    if (!result.killed) break;
  }
});

test.serial('where the first of an order fails, the next one never begins', async (t) => {
  t.timeout(240_000);
  for (let killTurn = 1; ; killTurn += killTurn < 8 ? 1 : 4) {
    const rollout = 'ordered-failure';
    const result = await simulate({ seed: 1, rollout, killAt: 'roll.after', killTurn, healMs: 300_000 });
    const step = `killed after step ${killTurn}`;
    t.deepEqual(result.violations, [], step);
    t.deepEqual(result.unfinished, [], step);
    const { dns, web, mail } = result.rollouts;
    t.deepEqual([dns?.phase, web?.phase, mail?.phase], ['reverted', 'reverted', 'done'], step);
    t.deepEqual(phasesOf(result, 'web'), ['waiting', 'reverting', 'reverted'], step);
    if (!result.killed) break;
  }
});
