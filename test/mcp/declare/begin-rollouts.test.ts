/** An applied file that changes versions: which rollouts it begins, and in which order. */
import test from 'ava';
import { areDone, areOver, renderOrder, renderOutcome, stagedChanges } from '../../../mcp/cli/staged-apply.ts';
import { applyEnvironment } from '../../../mcp/declare/apply-environment.ts';
import { beginRollouts } from '../../../mcp/declare/begin-rollouts.ts';
import { readDesired } from '../../../registrar/recipes/desired-document.ts';
import { readEvents } from '../../../registrar/recipes/event-log.ts';
import { readRollouts } from '../../../registrar/recipes/rollout-documents.ts';
import type { RolloutRecord } from '../../../registrar/rollout-records.ts';
import type { Environment, Service, Version } from '../../../specs/nouns.ts';
import { setUp } from '../control/registry-setup.ts';
import { service, version } from '../plan/world-builder.ts';

const environment = (...services: Service[]): Environment => ({
  name: 'test',
  pool: { size: 0, image: 'process' },
  gateway: { title: '', description: '' },
  services,
});
const staged = (name: string, run: Version[], after?: string[]): Service => ({
  ...service(name, run),
  rollout: { surge: 2 },
  ...(after ? { after } : {}),
});
const v1 = version('1.0.0', 2);
const v2 = version('2.0.0', 2);

function begun(before: Service[], after: Service[], rollouts: Record<string, { record: RolloutRecord }> = {}) {
  let ids = 0;
  return beginRollouts({
    before: environment(...before),
    after: environment(...after),
    rollouts,
    ended: new Set(),
    instancesOf: () => [],
    newId: () => `op-${++ids}`,
    by: 'operator:ann',
    reason: 'test',
    at: 5,
  });
}

const shown = (records: RolloutRecord[]) =>
  records.map(({ service: name, phase, order }) =>
    `${name} ${phase} ${(order?.after ?? []).map((one) => one.service).join(' ')}`.trim(),
  );

test('services whose versions change wait for those that they come after, over those that stay too; others don’t', (t) => {
  const names = ['dns', 'mid', 'web', 'mail'] as const;
  const after: Record<string, string[]> = { mid: ['dns'], web: ['mid'] };
  const all = (run: Version) => names.map((name) => staged(name, [name === 'mid' ? v1 : run], after[name]));
  const records = begun(all(v1), all(v2));
  t.deepEqual(shown(records), ['dns checking', 'web waiting dns', 'mail checking']);
  t.is(records[0]?.settings.surge, 2, 'as the service declares it');
  t.deepEqual(records[1]?.order, {
    after: [{ service: 'dns', operation: 'op-1' }],
    others: [
      { service: 'dns', operation: 'op-1' },
      { service: 'mail', operation: 'op-3' },
    ],
  });
  t.deepEqual(
    records[1]?.wanted.map((one) => `${one.version} ${one.count} ${one.weight}`),
    ['1.0.0 2 100', '2.0.0 0 0'],
  );
});

test('a rollout that was begun before comes first too', (t) => {
  const [dns] = begun([staged('dns', [v1])], [staged('dns', [v2])]);
  const after = (run: Version) => [staged('dns', [v2]), staged('web', [run], ['dns'])];
  const records = begun(after(v1), after(v2), { dns: { record: dns as RolloutRecord } });
  t.deepEqual(shown(records), ['web waiting dns']);
});

test('only what replaces versions of services that say how, or in which order, is rolled out by stages', (t) => {
  const plain = (run: Version[]) => service('dns', run);
  t.deepEqual(begun([plain([v1])], [plain([v2])]), [], 'it says nothing');
  t.is(begun([plain([v1])], [plain([v2]), staged('web', [v1], ['dns'])]).length, 1, 'another one comes after it');
  const same = (before: Version[], after: Version[]) => begun([staged('dns', before)], [staged('dns', after)]);
  t.deepEqual(same([v1], [{ ...v1, count: 5 }]), [], 'another count');
  t.deepEqual(same([v1], [v1, v2]), [], 'one more version');
  t.deepEqual(same([v1, v2], [v2]), [], 'one version less');
  t.deepEqual(same([v1], [version('1.0.0', 2, 'other')]), [], 'the same name can’t be two sides');
  t.deepEqual(same([{ ...v1, count: 0 }], [v2]), [], 'nothing ran');
  t.deepEqual(begun([], [staged('dns', [v2])]), [], 'it is new');
  t.is(same([v1], [{ ...v1, count: 0 }, v2]).length, 1);
});

test('declaration, rollouts and events are one write; what is rolled out gives up nothing at once', async (t) => {
  const { client, clock } = await setUp(t);
  const apply = (...services: Service[]) =>
    applyEnvironment(client, environment(...services), {
      author: 'operator:ann',
      reason: 'test',
      confirmed: true,
      staged: true,
      at: clock.now(),
    });
  t.deepEqual((await apply(staged('dns', [v1]), staged('web', [v1], ['dns']), service('mail', [v1]))).rollouts, []);
  const { rollouts, generation } = await apply(
    staged('dns', [v2]),
    staged('web', [v2], ['dns']),
    service('mail', [v2]),
  );
  t.deepEqual([generation, shown(rollouts)], [2, ['dns checking', 'web waiting dns']]);
  const written = Object.values(await readRollouts(client)).map(({ record }) => record);
  t.deepEqual(shown(written), ['dns checking', 'web waiting dns']);
  const desired = (await readDesired(client))?.record;
  t.deepEqual(desired?.allowance, { mail: 2 });
  t.deepEqual(
    desired?.environment.services[0]?.versions.map((one) => one.version),
    ['2.0.0'],
    'as the file says',
  );
  const kinds = (await readEvents(client)).map((event) => event.kind);
  t.true(kinds.includes('rollout.started') && kinds.includes('rollout.waiting'));
  // $ mcp apply, once more with another version: these are under way.
  const again = apply(staged('dns', [version('3.0.0', 2)]), staged('web', [v2], ['dns']), service('mail', [v2]));
  await t.throwsAsync(again, { code: 'REFUSED_ROLLOUT' });
});

test('people see the stages beforehand, and afterwards what is done and what is not', (t) => {
  const all = (run: Version) => [
    staged('web', [run], ['dns', 'mail']),
    staged('dns', [run]),
    staged('mail', [run], ['dns']),
  ];
  const records = begun(all(v1), all(v2));
  const lines = renderOrder(stagedChanges(records), false).split('\n');
  t.deepEqual(
    lines.slice(2).map((line) => line.trim().split(/\s{2,}/)),
    [
      ['1', 'dns', '1.0.0 -> 2.0.0'],
      ['2', 'mail', '1.0.0 -> 2.0.0', 'dns'],
      ['3', 'web', '1.0.0 -> 2.0.0', 'dns, mail'],
    ],
  );
  const ends = { dns: 'done', mail: 'reverted', web: 'reverted' } as const;
  const now = records.map((record) => ({ ...record, phase: ends[record.service as 'dns'] }));
  const changes = stagedChanges(records, now);
  t.deepEqual([areOver(stagedChanges(records)), areOver(changes), areDone(changes)], [false, true, false]);
  t.regex(renderOutcome(changes, false), /mail +1\.0\.0 -> 2\.0\.0 +reverted/);
  t.is(renderOrder([], false), '');
});

test('what is not told to go by stages begins no rollout, whatever its service says', async (t) => {
  const { client, clock } = await setUp(t);
  const words = { author: 'operator:ann', reason: 'scale, ab', confirmed: true, at: clock.now() };
  await applyEnvironment(client, environment(staged('dns', [v1])), words);
  const { rollouts } = await applyEnvironment(client, environment(staged('dns', [v2])), words);
  t.deepEqual(rollouts, []);
  t.deepEqual(await readRollouts(client), {});
});
