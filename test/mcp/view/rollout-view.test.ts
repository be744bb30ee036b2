/** Rollouts as they are shown. */
import test from 'ava';
import { renderTree } from '../../../mcp/cli/render-rollout.ts';
import { rolloutViews } from '../../../mcp/view/rollout-view.ts';
import { WorldBuilder } from '../plan/world-builder.ts';
import { SmallService } from '../rollout/small-service.ts';

test('what is over waits for nothing, whatever the leader said last; what goes on says it in one line', (t) => {
  const small = new SmallService();
  const waiting = [{ what: 'rollout of dns', why: 'one more', cause: 'rollout' as const, service: 'dns' }];
  const last = (phase: typeof small.record.phase) => {
    const rollouts = { dns: { record: { ...small.record, phase, why: 'all is well' }, version: 1 } };
    const world = new WorldBuilder().declare([small.declared]).set({ rollouts });
    const [view] = rolloutViews(world.snapshot(), waiting, 0);
    return view ? renderTree(view, 0, false).at(-1) : '';
  };
  t.regex(last('rolling') ?? '', /one more$/);
  t.regex(last('reverted') ?? '', /all is well$/);
  small.broken.set('2.0.0', 'exited with code 3; its last output:\ngoing down');
  const said: string[] = [];
  for (let step = 0; step < 20; step += 1) {
    small.run(1);
    said.push(small.waits);
  }
  t.false(said.some((words) => words.includes('\n')));
});
