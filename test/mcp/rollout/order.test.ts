/** Rollouts of one apply, one after the other. */
import test from 'ava';
import { pauseRollout, resumeRollout } from '../../../mcp/rollout/steer-rollout.ts';
import { turnBack } from '../../../mcp/rollout/transitions.ts';
import type { RolloutPhase } from '../../../registrar/rollout-records.ts';
import { SmallService } from './small-service.ts';

const cause = { by: 'operator:ann', why: 'because', now: 0 };
const mail = { service: 'mail', operation: 'first' };
const other = { service: 'web', operation: 'beside' };

/** dns after mail, of one apply with web. */
class Waiting extends SmallService {
  constructor() {
    super({ order: { after: [mail], others: [mail, other] } });
    this.stand('rolling', 'rolling');
  }

  stand(mailIs: RolloutPhase, webIs: RolloutPhase): void {
    this.others = [
      { ...this.record, ...mail, phase: mailIs },
      { ...this.record, ...other, phase: webIs },
    ];
  }
}

test('nothing moves while it waits, however long; when those before it are done it goes on as any other', (t) => {
  const small = new Waiting();
  t.is(small.record.phase, 'waiting');
  for (let n = 0; n < 3_000; n += 1) small.step();
  t.is(small.record.phase, 'waiting', 'no deadline ends it');
  t.is(small.waits, 'comes after mail (rolling)');
  t.deepEqual([small.count('1.0.0'), small.count('2.0.0'), small.weight('1.0.0')], [4, 0, 100]);
  small.kill('1.0.0');
  small.scale(6);
  for (let n = 0; n < 10; n += 1) small.step();
  t.is(small.live('1.0.0'), 6, 'what dies is replaced, and another count holds at once');
  small.stand('done', 'rolling');
  small.run();
  t.deepEqual([small.record.phase, small.live('2.0.0')], ['done', 6]);
});

test('it is held and let go like any other, and then still waits for its turn', (t) => {
  const small = new Waiting();
  small.record = pauseRollout(small.record, cause);
  small.stand('done', 'done');
  small.run(20);
  t.is(small.record.phase, 'waiting');
  small.stand('baking', 'done');
  small.record = resumeRollout(small.record, cause);
  small.run(20);
  t.is(small.record.phase, 'waiting');
  small.stand('done', 'done');
  small.run();
  t.is(small.record.phase, 'done');
});

for (const [mailIs, webIs, who] of [
  ['reverting', 'rolling', 'mail'],
  ['superseded', 'done', 'mail'],
  ['rolling', 'reverted', 'web'],
] as const) {
  test(`it never begins where one of the same apply fails (${who} ${mailIs === 'rolling' ? webIs : mailIs})`, (t) => {
    const small = new Waiting();
    small.step();
    small.stand(mailIs, webIs);
    small.run(20, () => t.is(small.live('2.0.0') + small.count('2.0.0'), 0));
    t.is(small.record.phase, 'reverted');
    t.regex(small.record.log.map(({ why }) => why).join('\n'), new RegExp(`the rollout of ${who}, of the same apply`));
    t.deepEqual(
      small.declared.versions.filter(({ count }) => count > 0).map((one) => `${one.version} ${one.count}`),
      ['1.0.0 4'],
      'what runs is declared again',
    );
  });
}

test('once it has begun it goes on whatever becomes of the others', (t) => {
  const small = new Waiting();
  small.stand('done', 'rolling');
  small.run(5);
  small.stand('reverted', 'reverted');
  small.run();
  t.is(small.record.phase, 'done');
});

test('what was done before it and was rolled out again since is done', (t) => {
  const small = new Waiting();
  const past = { ...mail, by: '', reason: '', at: 0, endedAt: 0, outcome: 'done' as const, from: [], to: [] };
  small.others = [
    { ...small.record, service: 'mail', operation: 'later', phase: 'rolling', past: [past] },
    { ...small.record, ...other, phase: 'done' },
  ];
  small.run();
  t.is(small.record.phase, 'done');
});

test('one that waits can be taken back', (t) => {
  const small = new Waiting();
  const turned = turnBack(small.record, small.declared, { instances: small.machines }, { ...cause, evidence: [] });
  small.record = turned.record;
  small.declared = turned.redeclare;
  small.run(10);
  t.deepEqual([small.record.phase, small.live('1.0.0')], ['reverted', 4]);
});
