import test from 'ava';
import { execute } from '../../../mcp/control/execute.ts';
import { observe } from '../../../mcp/control/observe.ts';
import type { Action, Plan } from '../../../mcp/plan/plan.ts';
import type { Snapshot } from '../../../mcp/plan/snapshot.ts';
import { paths } from '../../../registrar/layout.ts';
import { readEvents } from '../../../registrar/recipes/event-log.ts';
import { suspend } from '../../../registrar/recipes/suspension.ts';
import { codecs, decode } from '../../../registrar/store/codecs.ts';
import { service, version } from '../plan/world-builder.ts';
import { type Setup, setUp } from './registry-setup.ts';

const term = { quiet: false, mustSee: 0 };
const dns = service('dns', [version('1.0.0', 1)]);
const claim: Action = {
  kind: 'claim',
  uuid: 'm1',
  service: 'dns',
  version: '1.0.0',
  operation: 'op-1',
  reason: 'test',
};
const create: Action = { kind: 'create', uuid: 'new', operation: 'op-new', image: 'process', reason: 'test' };

function look({ client, provider, clock }: Setup): Promise<Snapshot> {
  return observe({ client, provider, clock, allowLoopback: true, signal: new AbortController().signal });
}

function planOf(snapshot: Snapshot, actions: Action[]): Plan {
  return { generation: 1, epoch: snapshot.epoch, asOf: snapshot.asOf, actions, waiting: [], alarms: [] };
}

async function run(setup: Setup, actions: Action[], snapshot?: Snapshot) {
  const seen = snapshot ?? (await look(setup));
  const outcomes = await execute(setup.input, seen, planOf(seen, actions), term);
  await setup.input.slowCalls.settled();
  return outcomes.map(({ result }) => result);
}

test('a claim, its assignment and its event are one write', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1' });
  t.deepEqual(await run(setup, [claim]), ['done']);
  const { state, claim: claimed } = (await setup.ledger('m1')) ?? {};
  t.is(state, 'claimed');
  t.is(claimed?.operation, 'op-1');
  const { data, stat } = await setup.client.get(paths.assignment('m1'));
  t.is(decode(codecs.assignment, paths.assignment('m1'), data).want, 'run');
  const [event] = await readEvents(setup.client);
  t.like(event, {
    kind: 'machine.claimed',
    actor: 'controller:test',
    machine: 'm1',
    operation: 'op-1',
    reason: 'test',
    epoch: 0,
  });
  t.deepEqual(setup.told.wrote, [stat.czxid]);
});

test('a claim by an old view conflicts and changes nothing (P5)', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1' });
  const snapshot = await look(setup);
  t.deepEqual(await run(setup, [claim], snapshot), ['done']);
  t.deepEqual(await run(setup, [{ ...claim, operation: 'op-2' }], snapshot), ['conflict']);
  t.is((await setup.ledger('m1'))?.claim?.operation, 'op-1');
});

test('once another leads nothing is written any more (P8)', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1' });
  const snapshot = await look(setup);
  await setup.client.set(paths.epoch, JSON.stringify({ leader: 'other', at: 0 }));
  await t.throwsAsync(run(setup, [claim], snapshot), { code: 'EPOCH_LOST' });
  await t.throwsAsync(run(setup, [claim]), { code: 'EPOCH_LOST' });
  t.is((await setup.ledger('m1'))?.state, 'ready');
});

test('once suspended nothing is done by a plan made before (P13)', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1' });
  const snapshot = await look(setup);
  await suspend(setup.client, { reason: 'test', by: 'test', at: 0 });
  t.deepEqual(await run(setup, [claim, create], snapshot), ['conflict', 'conflict']);
  t.is((await setup.ledger('m1'))?.state, 'ready');
});

test('a plan that the checker objects to is refused as a whole', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1' });
  const destroy: Action = { kind: 'destroy', uuid: 'm1', providerId: 'fake-m1', reason: 'test' };
  const error = await t.throwsAsync(run(setup, [create, destroy]), { code: 'PLAN_REFUSED' });
  t.regex(error.message, /P1: destroy of machine m1, which has no tombstone/);
  t.is(await setup.ledger('new'), null);
  t.is(setup.provider.calls.filter(({ call }) => call === 'destroy').length, 0);
});

test('a creation is in the ledger before the provider is asked, and its answer is noted', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  t.deepEqual(await run(setup, [create]), ['done']);
  t.like(await setup.ledger('new'), { state: 'building', providerId: 'fake-new', operation: 'op-new' });
  t.deepEqual(setup.told.created, [{ ok: true }]);
});

test('a creation whose reply was lost is found by its operation', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  setup.provider.inject({ on: 'create', kind: 'reply-lost' });
  await run(setup, [create]);
  t.is((await setup.ledger('new'))?.providerId, 'fake-new');
  t.deepEqual(
    setup.provider.calls.map(({ call }) => call).filter((call) => call === 'create' || call === 'find'),
    ['create', 'find'],
  );
});

test('a creation that may still land stays in the ledger', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  setup.provider.inject({ on: 'create', kind: 'request-lost' });
  await run(setup, [create]);
  t.like(await setup.ledger('new'), { state: 'building' });
  t.like(setup.told.created, [{ ok: false, refused: false }]);
});

test('a refused creation leaves the ledger, and the refusal is told', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  setup.provider.inject({ on: 'create', kind: 'refused', reason: 'quota' });
  await run(setup, [create]);
  t.is(await setup.ledger('new'), null);
  t.deepEqual(setup.told.created, [{ ok: false, message: 'quota', refused: true }]);
});

test('retirements that share a budget each write what the one before left', async (t) => {
  const setup = await setUp(t);
  await setup.declare([]);
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1' });
  await setup.machine({ uuid: 'm2', providerId: 'fake-m2' });
  const snapshot = await look(setup);
  const retire = (uuid: string, destroyed: number[]): Action => ({
    kind: 'retire',
    uuid,
    budget: '_pool',
    spent: { destroyed, generation: 1, used: 0 },
    operation: `retire-${uuid}`,
    reason: 'surplus',
  });
  t.deepEqual(await run(setup, [retire('m1', [1]), retire('m2', [1, 2])], snapshot), ['done', 'done']);
  const after = await look(setup);
  t.deepEqual(after.budgets._pool, { record: { destroyed: [1, 2], generation: 1, used: 0 }, version: 1 });
  t.like(await setup.ledger('m2'), { state: 'deleting', tombstone: { reason: 'surplus', operation: 'retire-m2' } });
});

test('bury removes all that is below a machine, and its registration', async (t) => {
  const setup = await setUp(t);
  await setup.declare([dns]);
  const deleting = { state: 'deleting' as const, tombstone: { reason: 'test', operation: 'o', at: 0 } };
  await setup.machine({ uuid: 'm1', providerId: 'fake-m1', ...deleting });
  setup.provider.remove('m1');
  t.deepEqual(await run(setup, [{ kind: 'bury', uuid: 'm1', reason: 'gone' }]), ['done']);
  t.is(await setup.ledger('m1'), null);
});

test('what cannot be read whole is not observed at all', async (t) => {
  const setup = await setUp(t);
  setup.provider.inject({ on: 'list', kind: 'unavailable' });
  await t.throwsAsync(look(setup), { code: 'PROVIDER_UNAVAILABLE' });
  setup.provider.inject({ on: 'list', kind: 'hang' });
  const hanging = look(setup);
  const failed = t.throwsAsync(hanging, { code: 'PROVIDER_UNKNOWN' });
  await setup.clock.advance(30_000);
  await failed;
});
