/** What a plan says beside its rows, and the plan as a file: applied as it is, or refused with what moved. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { renderPlan } from '../../../mcp/cli/render-plan.ts';
import { type EnvironmentPlan, planEnvironment } from '../../../mcp/declare/plan-environment.ts';
import { readPlan, requireSamePlan, whatMoved, writePlan } from '../../../mcp/declare/saved-plan.ts';
import type { RegistryPart } from '../../../mcp/view/status-view.ts';
import type { StatusRecord } from '../../../registrar/status-records.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';
import { SmallService } from '../rollout/small-service.ts';

const v1 = version('1.0.0', 2);
const v2 = version('2.0.0', 2);
const before = environment(service('dns', [v1]));

function serving(uuid: string) {
  const observed = claimed(uuid, 'dns', v1);
  return { ...observed, record: { ...observed.record, providerId: `p-${uuid}`, served: true } };
}

/** dns with two instances, and as many ready machines as are named. */
function world(pool: string[], over: Partial<RegistryPart> = {}): RegistryPart {
  return registryPart(before, {
    machines: [serving('a'), serving('b'), ...pool.map((uuid) => machine(uuid, { providerId: `p-${uuid}` }))],
    registrations: [registration('a', 'dns', v1), registration('b', 'dns', v1)],
    ...over,
  });
}

function plan(
  of: Environment,
  registry: RegistryPart,
  over: { leading?: boolean; provider?: StatusRecord['provider'] } = {},
) {
  const { leading = true, provider } = over;
  const controller = {
    epoch: 1,
    leader: 'c',
    generation: 1,
    at: 0,
    waiting: [],
    alarms: [],
    ...(provider ? { provider } : {}),
  };
  return planEnvironment({ environment: of, registry, controller, leading, ended: [], by: 'operator:ann', at: 10_000 });
}

const guards = ({ guards: all }: EnvironmentPlan) => all.map(({ guard, effect }) => `${guard} ${effect}`);

async function saved(t: Parameters<typeof tempDir>[0], of: Environment, made: EnvironmentPlan) {
  const path = join(await tempDir(t), 'plan.json');
  await writePlan(path, made, {
    environment: of,
    file: { name: 'e.yaml', text: 'environment: test\n' },
    by: 'operator:ann',
    at: 1,
  });
  return path;
}

test('a plan is read as it was written, by its owner alone, and is the plan while nothing moves', async (t) => {
  const after = environment(service('dns', [v2]));
  const path = await saved(t, after, plan(after, world(['p1', 'p2'])));
  t.is((await stat(path)).mode & 0o777, 0o600);
  const read = await readPlan(path);
  t.deepEqual(read.environment, after);
  t.is(read.file.text, 'environment: test\n');
  t.deepEqual(whatMoved(read, plan(read.environment, world(['p1', 'p2']))), []);
  t.notThrows(() => requireSamePlan(read, plan(read.environment, world(['other-1', 'other-2']))));
});

test('what moved is told: the generation, the machines, the cluster, a guard', async (t) => {
  const after = environment(service('dns', [v2]));
  const read = await readPlan(await saved(t, after, plan(after, world(['p1', 'p2']))));
  const moved = (registry: RegistryPart, leading = true) =>
    whatMoved(read, plan(read.environment, registry, { leading }));
  t.deepEqual(moved(world(['p1'])), ['dns@2.0.0: claim 2 -> 1, build 0 -> 1']);
  const record = { ...(world([]).declared?.record ?? never()), generation: 9 };
  const later = { declared: { record, version: 1 }, desired: { record, version: 1 } };
  t.deepEqual(moved(world(['p1', 'p2'], later)), ['it was made from generation 4, generation 9 is declared now']);
  t.regex(moved(world([], { clusterId: 'other' })).join(), /cluster other/);
  t.deepEqual(moved(world(['p1', 'p2']), false), ['guard now: leader stops']);
  const error = t.throws(() => requireSamePlan(read, plan(after, world(['p1']))), { code: 'REFUSED_PLAN_MOVED' });
  t.regex(error?.message ?? '', /claim 2 -> 1/);
});

function never(): never {
  throw new Error('nothing is declared');
}

test('a file that is no plan, of another version, or changed in any place is refused as one', async (t) => {
  const after = environment(service('dns', [v2]));
  const path = await saved(t, after, plan(after, world(['p1', 'p2'])));
  const text = await readFile(path, 'utf8');
  const bad = [
    '',
    '[]',
    '{"format":"mcp-plan"}',
    text.slice(0, -20),
    text.replace('"version": 1', '"version": 2'),
    text.replace('operator:ann', 'operator:eve'),
  ];
  for (const one of bad) {
    await writeFile(path, one);
    await t.throwsAsync(readPlan(path), { code: 'USAGE_PLAN_FILE' }, one.slice(0, 80));
  }
  await t.throwsAsync(readPlan(`${path}.not`), { code: 'USAGE_FILE' });
});

test('guards that would refuse, stop or hold it up are named', (t) => {
  t.deepEqual(guards(plan(environment(service('dns', [version('1.0.0', 3)])), world(['p1']))), []);
  t.deepEqual(guards(plan(environment(service('dns', [version('1.0.0', 0)])), world([]))), ['count-cut refuses']);
  const suspended = { record: { suspended: true, reason: 'x', by: 'operator:ann', at: 1 }, version: 1 };
  t.deepEqual(guards(plan(before, world([], { suspended }), { leading: false })), ['brake stops', 'leader stops']);
  const small = { name: 'fake', facts: {}, machines: { limit: 6, others: 1 } };
  const short = plan(environment(service('dns', [version('1.0.0', 9)])), world(['p1']), { provider: small });
  t.true(guards(short).includes('quota stops'));
  t.regex(
    short.guards.find(({ guard }) => guard === 'quota')?.why ?? '',
    /11 machines are wanted .* 6 more than the quota of 6/,
  );
  const record = new SmallService({ count: 2 }).record;
  const rolling = plan(environment(service('dns', [v2])), world([], { rollouts: { dns: { record, version: 1 } } }));
  t.true(guards(rolling).includes('rollout refuses'));
});

test('a rollout whose document was found to break callers is told so before it begins again', (t) => {
  const { record } = new SmallService({ from: [v1], to: v2 });
  const gate = { at: 1, verdict: 'breaking' as const, words: 'GET /zones is gone', findings: [], leftOut: 0 };
  const rollouts = {
    dns: { record: { ...record, to: [v2], phase: 'reverted' as const, wanted: [], gate }, version: 1 },
  };
  const after = environment(service('dns', [v2], { rollout: { canary: 1 } }));
  const known = plan(after, world(['p1', 'p2'], { rollouts }));
  t.regex(known.guards.find(({ guard }) => guard === 'spec-gate')?.why ?? '', /GET \/zones is gone/);
  t.deepEqual(guards(plan(after, world(['p1', 'p2']))), ['spec-gate checks']);
});

test('it is shown in a table, in words and in order; what was never measured is said and not guessed', (t) => {
  const after = environment(service('dns', [v2]));
  const text = renderPlan(plan(after, world(['p1'])), false, 'plan.json');
  t.regex(text, /~? +dns +2\.0\.0 +2 +0 +2 +1 +1 +0 +0 /);
  t.regex(
    text,
    /dns: 2 of 2\.0\.0 start, 1 from the pool and 1 on machines that are built meanwhile; 2 of 1\.0\.0 drain/,
  );
  t.regex(text, /time: not measured yet: .*start of dns@2\.0\.0/);
  t.false(/\d s {2}/.test(text));
  t.true(text.indexOf('  serve    ') < text.indexOf('  drain    '));
  t.regex(text, /mcp apply plan\.json/);
  t.regex(renderPlan(plan(before, world(['p1', 'p2'])), false, ''), /The declaration is the same[\s\S]*Nothing to do/);
});
