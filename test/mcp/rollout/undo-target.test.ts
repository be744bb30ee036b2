import test from 'ava';
import { startRollout } from '../../../mcp/rollout/start-rollout.ts';
import { undoTarget } from '../../../mcp/rollout/undo-target.ts';
import type { DesiredRecord } from '../../../registrar/records.ts';
import { defaultRollout } from '../../../specs/rollout-settings.ts';
import { service, version } from '../plan/world-builder.ts';
import { SmallService } from './small-service.ts';

function generation(number: number, ...versions: ReturnType<typeof version>[]): DesiredRecord {
  const environment = {
    name: 't',
    pool: { size: 0, image: 'i' },
    gateway: { title: '', description: '' },
    services: [service('dns', versions)],
  };
  return { generation: number, author: '', reason: '', at: 0, digest: '', allowance: {}, environment };
}

const names = (side: ReturnType<typeof undoTarget>) => side?.map(({ version: name }) => name);

test('undo goes to what really ran, and never to what a failed rollout was for', (t) => {
  const done = new SmallService().run();
  t.deepEqual(names(undoTarget(done.declared, done.record, [])), ['1.0.0']);
  const failed = new SmallService();
  failed.broken.set('2.0.0', 'broken');
  failed.run();
  const history = [
    generation(1, version('0.9.0', 4)),
    generation(2, version('1.0.0', 4)),
    generation(3, version('2.0.0', 4)),
    generation(4, version('1.0.0', 4)),
  ];
  t.deepEqual(names(undoTarget(failed.declared, failed.record, history)), ['0.9.0']);
  t.is(undoTarget(failed.declared, failed.record, history.slice(1)), null);
  t.deepEqual(names(undoTarget(service('dns', [version('1.0.0', 4)]), null, history)), ['2.0.0']);
});

test('undo while the old ones are kept moves the weights in its first write', (t) => {
  const small = new SmallService().run();
  const target = undoTarget(small.declared, small.record, []) ?? [];
  const begun = startRollout({
    service: small.declared,
    previous: small.record,
    kind: 'undo',
    to: target,
    settings: defaultRollout,
    instances: small.machines,
    operation: 'undo',
    by: 'operator:test',
    reason: '',
    at: small.now,
  });
  const weights = Object.fromEntries(begun?.record.wanted.map(({ version: name, weight }) => [name, weight]) ?? []);
  t.deepEqual(weights, { '1.0.0': 100, '2.0.0': 0 });
  t.throws(() => startRollout({ ...startOf(small), previous: { ...small.record, phase: 'rolling' } }), {
    code: 'REFUSED_ROLLOUT',
  });
  t.is(startRollout({ ...startOf(small), to: [version('2.0.0', 4)] }), null, 'it runs already');
  t.throws(() => startRollout({ ...startOf(small), to: [version('2.0.0', 4, 'other')] }), { code: 'USAGE_SAME_NAME' });
});

function startOf(small: SmallService) {
  return {
    service: small.declared,
    previous: small.record,
    kind: 'upgrade' as const,
    to: [version('3.0.0', 4)],
    settings: defaultRollout,
    instances: small.machines,
    operation: 'next',
    by: 'operator:test',
    reason: '',
    at: 0,
  };
}
