/** What the first new instance's document does to a rollout. */
import test from 'ava';
import fc from 'fast-check';
import { promoteRollout } from '../../../mcp/rollout/steer-rollout.ts';
import { limitsOf } from '../../../mcp/rollout/wanted.ts';
import type { RolloutGate } from '../../../registrar/rollout-records.ts';
import { defaultRollout } from '../../../specs/rollout-settings.ts';
import { SmallService } from './small-service.ts';

const safe: RolloutGate = { at: 0, verdict: 'safe', words: 'all safe', findings: [], leftOut: 0 };
const breaking: RolloutGate = {
  at: 0,
  verdict: 'breaking',
  words: '1 change breaks callers',
  findings: [
    { severity: 'breaking', words: 'GET /zones is gone', operations: ['GET /zones'] },
    { severity: 'safe', words: 'GET /areas is new', operations: ['GET /areas'] },
  ],
  leftOut: 2,
};

test('the first new instance gets no traffic until its document is compared; then it is the first of the batch', (t) => {
  const small = new SmallService();
  small.gate = { waits: 'the documents are compared' };
  small.run(30, () => {
    t.is(small.record.phase, 'checking');
    t.is(small.weight('2.0.0') ?? 0, 0);
    t.true(small.count('2.0.0') <= 1);
    t.is(small.count('1.0.0'), 4);
  });
  t.is(small.live('2.0.0'), 1);
  t.is(small.waits, 'the documents are compared');
  const [first] = small.machines.filter((one) => one.version === '2.0.0').map(({ machine }) => machine);
  small.gate = { found: safe };
  small.run();
  t.is(small.record.phase, 'done');
  t.true(
    small.machines.some(({ machine }) => machine === first),
    'it is not started again',
  );
  t.true(small.record.log.some(({ why }) => why === 'all safe'));
});

test('a document that breaks callers takes the rollout back before any request reached the new version', (t) => {
  const small = new SmallService();
  small.gate = { found: breaking };
  small.run(600, () => t.is(small.weight('2.0.0') ?? 0, 0));
  t.is(small.record.phase, 'reverted');
  t.deepEqual(small.record.evidence, ['breaking: GET /zones: GET /zones is gone', 'and 2 more']);
  t.is(small.record.gate?.verdict, 'breaking');
  t.is(small.live('1.0.0'), 4);
});

test('whoever says why may break callers, before or when it holds', (t) => {
  const told = new SmallService({ settings: { allowBreaking: 'nobody calls it' } });
  told.gate = { found: breaking };
  t.is(told.run().record.phase, 'done');
  t.true(told.record.log.some(({ why }) => why === '1 change breaks callers; allowed: nobody calls it'));
  const holds = new SmallService({ settings: { autoRollback: false } });
  holds.gate = { found: breaking };
  holds.run(30);
  t.is(holds.record.hold?.kind, 'failed');
  holds.record = promoteRollout(holds.record, false, { by: 'operator:ann', why: 'it is fine', now: holds.now });
  t.is(holds.run().record.phase, 'done');
  t.is(holds.record.settings.allowBreaking, 'it is fine (operator:ann)');
});

test('a comparison that never comes is no progress', (t) => {
  const small = new SmallService({ settings: { progressDeadlineMs: 60_000 } });
  small.gate = { waits: 'the documents are compared' };
  t.is(small.run().record.phase, 'reverted');
});

test('whatever the limits and however long the comparison takes: capacity and surge hold, and it ends', (t) => {
  const share = fc.oneof(
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: 1, max: 100 }).map((n) => `${n}%`),
  );
  const settings = fc.record({ surge: share, unavailable: share, canary: share, undoMs: fc.constantFrom(0, 20_000) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), settings, fc.integer({ min: 0, max: 20 }), (count, chosen, seconds) => {
      const small = new SmallService({ count, settings: { ...defaultRollout, ...chosen } });
      small.gate = { waits: 'the documents are compared' };
      const { surge, unavailable } = limitsOf(small.record.settings, count);
      const look = () => {
        t.true(small.live() >= count - unavailable, 'capacity');
        const kept = Math.min(small.record.keep, small.live('1.0.0'));
        t.true(small.machines.length <= count + surge + kept, `${small.machines.length} machines`);
      };
      small.run(seconds, look);
      small.gate = { found: safe };
      small.run(3_000, look);
      t.is(small.record.phase, 'done');
      t.is(small.live('2.0.0'), count);
    }),
    { numRuns: 100 },
  );
});

test('the one that was read is watched once with traffic, for as long as declared', (t) => {
  for (const waits of [1, 3, 8]) {
    const small = new SmallService({ settings: { minHealthyMs: 5_000 } });
    small.gate = { waits: 'the documents are compared' };
    small.run(waits + 4);
    small.gate = { found: safe };
    while (small.record.phase !== 'canary') small.step();
    const began = small.now;
    while (small.record.base === 0) small.step();
    // A look each second.
    t.true(small.now - began >= 5_000 && small.now - began <= 6_000, `${small.now - began} ms`);
  }
});
