/** Who pays for a destruction: the window, an operator's word, or the rollout that gave the machine up. */
import test from 'ava';
import { isGivenUp, openBudgets } from '../../../mcp/plan/budget.ts';
import { freshMemory } from '../../../mcp/plan/memory.ts';
import { defaultPolicy } from '../../../mcp/plan/policy.ts';
import { describeWorld } from '../../../mcp/plan/world.ts';
import type { RolloutPhase } from '../../../registrar/rollout-records.ts';
import { SmallService } from '../rollout/small-service.ts';
import { service, version, WorldBuilder } from './world-builder.ts';

const [v1, v2] = [version('1.0.0', 2), version('2.0.0', 2)];

/** dns after a rollout from 1.0.0 to 2.0.0 that gave up two instances, of which none was ever destroyed. */
function world(phase: RolloutPhase, declared = [v2]) {
  const { record } = new SmallService({ from: [v1], to: v2 });
  const builder = new WorldBuilder()
    .declare([service('dns', declared)])
    .serving('old', 'dns', v1)
    .serving('new-1', 'dns', v2)
    .serving('new-2', 'dns', v2)
    .set({ rollouts: { dns: { record: { ...record, from: [v1], to: [v2], phase, givenUp: 2 }, version: 1 } } });
  const snapshot = builder.snapshot();
  const desired = snapshot.desired?.record;
  if (!desired) throw new Error('nothing is declared');
  const all = describeWorld(snapshot, desired);
  const unit = (uuid: string) => {
    const found = all.units.find((one) => one.uuid === uuid);
    if (!found) throw new Error(uuid);
    return found;
  };
  const memory = freshMemory({ clusterId: 'test', now: 0 });
  return { snapshot, world: all, unit, budgets: openBudgets(snapshot, all, memory, defaultPolicy, 0) };
}

test('a rollout pays for what it goes away from, and for nothing else', (t) => {
  const done = world('done');
  t.true(isGivenUp(done, done.unit('old')));
  t.false(isGivenUp(done, done.unit('new-1')));
  const back = world('reverted', [v1]);
  t.false(isGivenUp(back, back.unit('old')));
  t.true(isGivenUp(back, back.unit('new-1')));
  const declaredAgain = world('done', [v1, v2]);
  t.false(isGivenUp(declaredAgain, declaredAgain.unit('old')));
});

test('what is left of its grant does not hurry the destruction of others', (t) => {
  const { budgets, unit } = world('done');
  t.is(budgets.granted('dns'), 1);
  t.deepEqual(budgets.take('dns', unit('new-1'))?.destroyed.length, 1);
  t.is(budgets.take('dns', unit('new-2')), null);
  const fresh = world('done');
  t.is(fresh.budgets.take('dns', fresh.unit('old'))?.rollout?.used, 1);
});
