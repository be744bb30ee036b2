import test from 'ava';
import fc from 'fast-check';
import { dueIn } from '../../../mcp/rollout/due-in.ts';
import { nextRollout } from '../../../mcp/rollout/next-rollout.ts';
import { SmallService } from './small-service.ts';

test('when a rollout says that time alone takes it further, it moves at that moment and not before', (t) => {
  const ms = fc.integer({ min: 1, max: 9_999 });
  const kinds = new Set<string>();
  fc.assert(
    fc.property(ms, ms, ms, fc.boolean(), (minHealthyMs, bakeMs, undoMs, isGated) => {
      const pauses = [{ at: 2, forMs: 1_500 }];
      const small = new SmallService({ settings: { minHealthyMs, bakeMs, undoMs, pauses, analysis: null } });
      if (isGated) small.gate = { found: { at: 0, verdict: 'safe', words: '', findings: [], leftOut: 0 } };
      small.run(200, () => {
        if (nextRollout(small.seen()).record !== null) return;
        const due = dueIn(small.seen());
        if (due === null) return;
        kinds.add(small.record.hold ? 'hold' : small.record.phase);
        t.is(nextRollout(small.seen(due - 1)).record, null, `${small.record.phase}: ${due - 1} ms`);
        t.not(nextRollout(small.seen(due)).record, null, `${small.record.phase}: ${due} ms`);
      });
      t.is(small.record.phase, 'done');
    }),
    { numRuns: 60 },
  );
  t.deepEqual([...kinds].sort(), ['baking', 'canary', 'done', 'hold', 'rolling']);
});
