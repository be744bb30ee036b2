import test from 'ava';
import fc from 'fast-check';
import { pauseRollout, promoteRollout, resumeRollout } from '../../../mcp/rollout/steer-rollout.ts';
import { turnBack } from '../../../mcp/rollout/transitions.ts';
import { limitsOf } from '../../../mcp/rollout/wanted.ts';
import { defaultRollout } from '../../../specs/rollout-settings.ts';
import { version } from '../plan/world-builder.ts';
import { SmallService } from './small-service.ts';

const cause = { by: 'operator:ann', why: 'because', now: 0 };

test('new instances come first, in batches, and the old ones are kept at weight 0 until the time for undo is over', (t) => {
  const small = new SmallService({ settings: { undoMs: 30_000 } });
  t.is(small.count('1.0.0'), 4);
  t.is(small.count('2.0.0'), 0);
  const phases = new Set<string>();
  small.run(600, () => phases.add(small.record.phase));
  t.deepEqual([...phases], ['canary', 'rolling', 'baking', 'done']);
  t.is(small.live('2.0.0'), 4);
  t.is(small.live('1.0.0'), 4);
  t.is(small.weight('1.0.0'), 0);
  for (let n = 0; n < 40; n += 1) small.step();
  t.is(small.live('1.0.0'), 0);
  t.deepEqual(small.record.wanted, []);
  t.is(small.count('2.0.0'), 4);
  t.is(small.record.givenUp, 4);
});

test('whatever the limits: never fewer serve than may, never more run than may, and it ends', (t) => {
  const share = (least: number) =>
    fc.oneof(
      fc.integer({ min: least, max: 6 }),
      fc.integer({ min: 1, max: 100 }).map((n) => `${n}%`),
    );
  const settings = fc.record({
    surge: share(0),
    unavailable: share(0),
    batch: share(1),
    canary: share(0),
    undoMs: fc.constantFrom(0, 20_000),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      settings,
      fc.integer({ min: 1, max: 5 }),
      (count, chosen, startSeconds) => {
        const small = new SmallService({ count, settings: { ...defaultRollout, ...chosen } });
        small.startMs = startSeconds * 1_000;
        const { surge, unavailable } = limitsOf(small.record.settings, count);
        small.run(3_000, () => {
          t.true(small.live() >= count - unavailable, 'capacity');
          // Those kept for undo get no traffic and are beside the surge.
          const kept = Math.min(small.record.keep, small.live('1.0.0'));
          t.true(small.machines.length <= count + surge + kept, `${small.machines.length} machines`);
          const traffic = small.wanted.filter((one) => (one.weight ?? 1) > 0 && small.live(one.version) > 0);
          t.true(traffic.length > 0 || small.live() === 0, 'somebody gets the traffic');
        });
        t.is(small.record.phase, 'done');
        t.is(small.live('2.0.0'), count);
      },
    ),
    { numRuns: 150 },
  );
});

test('a kill or an abort at any second: all goes on, or back, and capacity stays', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom('old', 'new', 'abort'),
      (count, at, what) => {
        const small = new SmallService({ count });
        let second = 0;
        small.run(at);
        const wasActive = !['done', 'reverted'].includes(small.record.phase);
        if (what === 'abort' && wasActive) {
          const turned = turnBack(
            small.record,
            small.declared,
            { instances: small.machines },
            { ...cause, evidence: [] },
          );
          small.record = turned.record;
          small.declared = turned.redeclare;
        }
        if (what !== 'abort') small.kill(what === 'old' ? '1.0.0' : '2.0.0');
        small.run(600, () => {
          second += 1;
          if (second > 6) t.true(small.live() >= count, 'capacity');
        });
        const target = what === 'abort' && wasActive ? '1.0.0' : '2.0.0';
        for (let n = 0; n < 10; n += 1) small.step();
        t.is(small.record.phase, target === '1.0.0' ? 'reverted' : 'done');
        t.is(small.live(target), count);
        t.is(small.declared.versions.find((one) => one.version === target)?.count, count);
      },
    ),
    { numRuns: 150 },
  );
});

test('a record that is written down and read again between any two steps goes on alike', (t) => {
  const one = new SmallService();
  const two = new SmallService();
  for (let n = 0; n < 60; n += 1) {
    one.step();
    two.record = JSON.parse(JSON.stringify(two.record)) as typeof two.record;
    two.step();
    t.deepEqual(two.record, one.record);
  }
});

test('a new instance that fails takes the rollout back, with its words as evidence; a tolerated one does not', (t) => {
  const small = new SmallService();
  small.broken.set('2.0.0', 'exited with code 3; its last output:\ngoing down');
  small.run();
  t.is(small.record.phase, 'reverted');
  t.regex(small.record.evidence.join('\n'), /2\.0\.0 on machine m5: exited with code 3; its last output:\ngoing down/);
  t.true(small.record.log.some(({ why }) => why === 'a new instance failed: exited with code 3'));
  t.is(small.live('1.0.0'), 4);
  t.is(small.declared.versions.find((one) => one.version === '1.0.0')?.count, 4);
  const tolerant = new SmallService({ settings: { maxFailures: 1 } });
  tolerant.broken.set('2.0.0', 'once');
  tolerant.run(4);
  t.is(tolerant.record.failed.length, 1);
  tolerant.broken.clear();
  t.is(tolerant.run().record.phase, 'done');
});

test('deadlines: an instance that never serves, and a rollout that stands still for want of machines', (t) => {
  const never = new SmallService({ settings: { healthyDeadlineMs: 20_000 } });
  never.broken.set('2.0.0', 'never');
  t.is(never.run().record.phase, 'reverted');
  t.regex(never.record.evidence[0] ?? '', /not healthy within 20 s/);
  const still = new SmallService({ settings: { healthyDeadlineMs: 900_000, progressDeadlineMs: 60_000 } });
  still.broken.set('2.0.0', 'never');
  still.run();
  t.is(still.record.phase, 'reverted');
  t.true(still.record.log.some(({ why }) => /no progress for 60 s/.test(why)));
});

test('told not to go back by itself, it holds, and goes on when promoted', (t) => {
  const small = new SmallService({ settings: { autoRollback: false } });
  small.broken.set('2.0.0', 'broken');
  small.run(10);
  t.is(small.record.hold?.kind, 'failed');
  small.broken.clear();
  small.record = promoteRollout(small.record, false, cause);
  t.is(small.run().record.phase, 'done');
});

test('it pauses where it is told to, by time and until promoted; an operator pauses and resumes', (t) => {
  const small = new SmallService({
    settings: {
      pauses: [
        { at: 1, forMs: null },
        { at: '50%', forMs: 20_000 },
      ],
    },
  });
  small.run(60);
  t.is(small.record.hold?.kind, 'pause');
  t.is(small.live('2.0.0'), 1);
  t.throws(() => resumeRollout(small.record, cause), { code: 'REFUSED_ROLLOUT' });
  small.record = promoteRollout(small.record, false, cause);
  small.run(15);
  t.is(small.record.hold?.forMs, 20_000);
  t.is(small.live('2.0.0'), 2);
  small.record = pauseRollout(small.record, cause);
  small.run(100);
  t.is(small.record.hold?.kind, 'operator');
  t.is(small.live('2.0.0'), 2);
  small.record = resumeRollout(small.record, cause);
  t.is(small.run().record.phase, 'done');
  t.throws(() => pauseRollout(small.record, cause), { code: 'REFUSED_ROLLOUT' });
  const all = new SmallService({
    settings: {
      pauses: [
        { at: 1, forMs: null },
        { at: 2, forMs: null },
      ],
    },
  });
  all.run(30);
  all.record = promoteRollout(all.record, true, cause);
  t.is(all.run().record.phase, 'done');
});

test('scaling meanwhile is shared out between old and new in proportion', (t) => {
  const small = new SmallService({ settings: { undoMs: 0, pauses: [{ at: 2, forMs: null }] } });
  small.run(40);
  t.deepEqual([small.live('1.0.0'), small.live('2.0.0')], [2, 2]);
  small.scale(8);
  small.run(20);
  t.deepEqual([small.live('1.0.0'), small.live('2.0.0')], [4, 4]);
  small.scale(2);
  small.run(20);
  t.deepEqual([small.live('1.0.0'), small.live('2.0.0')], [1, 1]);
  small.record = promoteRollout(small.record, true, cause);
  small.scale(5);
  small.run();
  t.is(small.record.phase, 'done');
  t.is(small.live(), 5);
});

test('traffic goes by what is there: the new version never gets more than its instances can take', (t) => {
  const small = new SmallService();
  small.run(600, () => {
    const [mine = 0, old = 0] = [small.weight('2.0.0'), small.weight('1.0.0')];
    const live = small.live('2.0.0');
    if (live > 0) t.true(mine / (mine + old) <= live / 4 + 1e-9);
  });
  t.pass();
});

test('several old versions leave in proportion and keep the ratio of their weights meanwhile', (t) => {
  const from = [
    { ...version('1.0.0', 3), weight: 90 },
    { ...version('1.1.0', 3), weight: 10 },
  ];
  const small = new SmallService({ from, settings: { undoMs: 0, batch: 2, surge: 2, canary: 0 } });
  small.run(600, () => {
    const [a = 0, b = 0] = [small.weight('1.0.0'), small.weight('1.1.0')];
    if (a + b > 0 && small.record.phase !== 'done') t.true(Math.abs(a / (a + b) - 0.9) < 0.01);
    t.true(Math.abs(small.count('1.0.0') - small.count('1.1.0')) <= 1);
  });
  t.is(small.record.phase, 'done');
  t.is(small.live('2.0.0'), 6);
});

test('one of two versions side by side takes over: its instances stay', (t) => {
  const to = version('1.1.0', 1);
  const small = new SmallService({ from: [version('1.0.0', 3), { ...to, count: 1 }], to, settings: { undoMs: 0 } });
  const [known] = small.machines.filter((one) => one.version === '1.1.0').map(({ machine }) => machine);
  small.run();
  t.is(small.record.phase, 'done');
  t.is(small.live('1.1.0'), 4);
  t.true(small.machines.some(({ machine }) => machine === known));
});

test('what is kept for undo gives way where the quota has no room for it', (t) => {
  const small = new SmallService({ room: 1 });
  small.run(600, () => {
    small.room = 5 - small.machines.length;
    t.true(small.machines.length <= 6);
  });
  t.is(small.record.phase, 'done');
  t.is(small.live('2.0.0'), 4);
  t.true(small.record.keep < 4);
});

test('something else declared ends it, another count does not; a lost service too', (t) => {
  const small = new SmallService();
  small.run(5);
  small.declared = { ...small.declared, versions: [version('3.0.0', 4)] };
  small.step();
  t.is(small.record.phase, 'superseded');
  t.deepEqual(small.record.wanted, []);
  const done = new SmallService();
  done.run();
  done.declared = { ...done.declared, versions: [version('1.0.0', 4), version('2.0.0', 0)] };
  t.is(done.weight('1.0.0'), 100, 'declared again, it is not kept at weight 0');
  done.step();
  t.is(done.record.phase, 'superseded');
});
