/** What a rollout is told of instances that fail: with what they ended by, at whatever moment the leader looks. */
import test from 'ava';
import type { Service } from '../../../specs/nouns.ts';
import { SmallService } from '../rollout/small-service.ts';
import { type MachineWords, service, TestLeader, version, WorldBuilder } from './world-builder.ts';

const v1 = version('1.0.0', 1);
const v2 = version('2.0.0', 1);
const ended = 'exited with code 3; its last output:\nno database';

/** The evidence of a rollout of one instance to 2.0.0, whose new machine is as said. */
function evidenceOf(words: MachineWords): string[] | undefined {
  const small = new SmallService({ count: 1, from: [v1], to: v2, settings: { minHealthyMs: 5_000 } });
  const record = { ...small.record, phase: 'rolling' as const, goal: 1 };
  const wanted = [
    { version: '1.0.0', count: 1, weight: 100 },
    { version: '2.0.0', count: 1, weight: 0 },
  ];
  const declared: Service = small.declared;
  const world = new WorldBuilder()
    .declare([service('dns', declared.versions)])
    .serving('old', 'dns', v1)
    .machine('new', { service: 'dns', version: v2, phase: 'checking', ...words })
    .set({ rollouts: { dns: { record: { ...record, wanted }, version: 1 } } });
  const [step] = new TestLeader().plan(world).actions.filter((action) => action.kind === 'roll');
  return step?.record.evidence;
}

test('an instance that ends again and again is told with what it ended by, whatever its agent says just now', (t) => {
  const looks: MachineWords[] = [
    { phase: 'starting', reason: ended },
    { phase: 'checking', reason: '' },
    { phase: 'serving', reason: '' },
    { phase: 'starting', reason: 'exited with code 3' },
  ];
  for (const look of looks) {
    t.deepEqual(evidenceOf({ ...look, starts: 3, ended }), [`2.0.0 on machine new: started 3 times: ${ended}`]);
    const served = evidenceOf({ ...look, starts: 2, served: true, ended });
    t.deepEqual(served, [`2.0.0 on machine new: served and then failed: ${ended}`]);
  }
  const refused = evidenceOf({ phase: 'checking', reason: 'connection refused', starts: 2, served: true, ended });
  t.deepEqual(refused, [`2.0.0 on machine new: served and then failed: connection refused; before that: ${ended}`]);
});

test('an instance that is only started anew, for its configuration, has not failed', (t) => {
  t.deepEqual(evidenceOf({ phase: 'checking', starts: 4, served: true }) ?? [], []);
});
