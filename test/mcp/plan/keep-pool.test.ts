/** The pool's rules in the planner: who gets machines first, what follows the image, what a damaged ledger leads to. */
import test from 'ava';
import { forgiveFailures, poolRecordOf } from '../../../mcp/plan/pool-record.ts';
import type { DesiredRecord } from '../../../registrar/records.ts';
import { selfTest } from '../../helpers/self-test.ts';
import { acts, service, startAt, TestLeader, version, WorldBuilder } from './world-builder.ts';

const v1 = version('1.0.0', 2);
const one = version('1.0.0', 1);

test('where ready machines are short, the higher priority gets them first, then all fairly', (t) => {
  const many = version('1.0.0', 3);
  const world = new WorldBuilder().declare([
    service('a', [many]),
    { ...service('b', [many]), priority: 5 },
    service('c', [many]),
  ]);
  for (const uuid of ['m1', 'm2', 'm3', 'm4', 'm5']) world.machine(uuid);
  const claimed = new TestLeader().plan(world).actions.flatMap((act) => (act.kind === 'claim' ? act.service : []));
  t.deepEqual(claimed.sort(), ['a', 'b', 'b', 'b', 'c']);
});

test('machines for claims are made before the pool is refilled, and asked for first', (t) => {
  const world = new WorldBuilder().declare([service('dns', [one])], { pool: 2 }).machine('a', { state: 'verifying' });
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world), 'create'), [], 'what is on its way is for the claim');
  world.remove('a');
  const [create] = leader.plan(world).actions;
  t.like(create, { kind: 'create', urgent: true });
  world.serving('b', 'dns', one);
  t.false('urgent' in (leader.plan(world).actions.find(({ kind }) => kind === 'create') ?? {}));
});

test('where machines share a host, the pool is refilled when the claimed services serve, or take too long to', (t) => {
  const world = new WorldBuilder().declare([service('dns', [one])], { pool: 1 }).machine('a');
  world.set({ sharedHost: true });
  const starting = { service: 'dns', version: one, phase: 'starting' as const };
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first, 'claim', 'create'), ['claim a']);
  t.true(first.waiting.some(({ why }) => /refill of 1 waits until the service of a claimed machine serves/.test(why)));
  world.machine('a', starting);
  t.deepEqual(acts(leader.plan(world, 1000), 'create'), []);
  world.serving('a', 'dns', one);
  t.is(acts(leader.plan(world, 1000), 'create').length, 1);
  world.machine('a', starting);
  const impatient = new TestLeader();
  t.deepEqual(acts(impatient.plan(world), 'create'), []);
  t.is(acts(impatient.plan(world, 61_000), 'create').length, 1);
  world.set({ sharedHost: false });
  t.is(acts(new TestLeader().plan(world), 'create').length, 1, 'elsewhere nobody is in the way');
});

test('an instance that serves says how long after its claim, to whoever saw both', (t) => {
  const world = new WorldBuilder().declare([service('dns', [one])]);
  const start = { service: 'dns', version: one, phase: 'starting' as const };
  const reasonOf = (leader: TestLeader, later = 0) =>
    leader.plan(world, later).actions.flatMap((act) => (act.kind === 'confirm' ? act.reason : []));
  const witness = new TestLeader();
  witness.plan(world.machine('a', start));
  world.serving('a', 'dns', one, { served: false });
  t.deepEqual(reasonOf(witness, 4_260), ['its instance serves, 4.3 s after it was claimed']);
  t.deepEqual(reasonOf(new TestLeader()), ['its instance serves']);
});

test('a machine whose self-test fails never enters the pool; three of an image stop its refill, and a successor knows', (t) => {
  const bad = { state: 'verifying' as const, selfTest: selfTest({ 'disk-content': 1 }) };
  const world = new WorldBuilder().declare([], { pool: 3 });
  for (const uuid of ['a', 'b', 'c']) world.machine(uuid, bad);
  const leader = new TestLeader();
  const plan = leader.plan(world);
  t.deepEqual(acts(plan, 'retire', 'create', 'advance'), ['retire a', 'retire b', 'retire c']);
  t.regex(plan.actions[0]?.reason ?? '', /self-test failed: disk-content is 1 faults/);
  t.true(plan.alarms.some(({ code }) => code === 'POOL_BREAKER'));
  const desired = world.snapshot().desired?.record as DesiredRecord;
  const record = poolRecordOf(leader.memory, desired, startAt);
  t.like(record.images, { process: { inARow: 3 } });
  const successor = new TestLeader();
  world.set({ pool: { record, version: 0 } });
  t.true(
    successor.plan(world).alarms.some(({ message }) => /the last 3 machines/.test(message)),
    'counted once',
  );
  for (const uuid of ['a', 'b', 'c']) world.remove(uuid);
  t.deepEqual(acts(successor.plan(world, 1000), 'create'), []);
  world.set({ pool: { record: forgiveFailures(record), version: 1 } });
  t.is(acts(successor.plan(world, 1000), 'create').length, 1, 'an operator wants it tried again');
});

test('limits that are declared anew judge machines that wait', (t) => {
  const world = new WorldBuilder().declare([], { pool: { size: 1, verify: { clockMs: 1 } } });
  world.machine('a', { state: 'verifying', selfTest: selfTest({ clock: 50 }) });
  t.deepEqual(acts(new TestLeader({ quiet: true }).plan(world), 'advance'), []);
  world.declare([], { pool: { size: 1, verify: { clockMs: 100 } } });
  t.deepEqual(acts(new TestLeader({ quiet: true }).plan(world), 'advance'), ['advance a']);
});

test('a pool that follows demand holds what was claimed at most lately', (t) => {
  const world = new WorldBuilder().declare([service('dns', [version('1.0.0', 4)])], {
    pool: { size: 1, demand: { max: 3, windowMs: 60_000 } },
  });
  for (const uuid of ['a', 'b', 'c', 'd']) world.serving(uuid, 'dns', version('1.0.0', 4), { claimedAt: startAt + 1 });
  const leader = new TestLeader();
  leader.plan(world);
  t.deepEqual(poolRecordOf(leader.memory, world.snapshot().desired?.record as DesiredRecord, startAt).size, {
    target: 3,
    why: 'at most 4 were claimed within 1 min, in the last 6 min; from 1 to 3 are declared',
  });
  world.machine('r1').machine('r2');
  t.is(acts(leader.plan(world, 1000), 'create').length, 1);
  t.is(
    acts(leader.plan(world, 7 * 60_000), 'retire').length,
    1,
    'nothing was claimed for a while: one of them is enough',
  );
});

test('ready machines over their age are replaced one at a time, also those of an earlier leader; a clock an hour off ages none', (t) => {
  const day = 86_400_000;
  const world = new WorldBuilder().declare([], { pool: { size: 2, maxAgeMs: day } });
  world.machine('a', { createdAt: startAt - day - 3_500_000 }).machine('b', { createdAt: startAt - day });
  t.deepEqual(acts(new TestLeader().plan(world)), []);
  world.machine('a', { createdAt: startAt - 2 * day }).machine('b', { createdAt: startAt - 2 * day });
  const leader = new TestLeader();
  t.is(acts(leader.plan(world), 'create').length, 1);
  world.machine('c', { createdAt: startAt });
  t.deepEqual(acts(leader.plan(world, 1000), 'retire', 'create'), ['retire a']);
});

test('a wall clock that jumps by hours while somebody leads ages no machine', (t) => {
  const world = new WorldBuilder().declare([], { pool: { size: 2, maxAgeMs: 7_200_000 } });
  world.machine('a', { createdAt: startAt - 1000 }).machine('b', { createdAt: startAt - 1000 });
  for (const hours of [12, -12]) {
    const leader = new TestLeader();
    t.deepEqual(acts(leader.plan(world)), []);
    leader.jump(hours * 3_600_000);
    t.deepEqual(acts(leader.plan(world, 60_000)), [], `${hours} hours`);
    t.deepEqual(acts(leader.plan(world, 60_000)), []);
  }
});

test('when the image changes, what serves moves to the new one first, one at a time, then the pool', (t) => {
  const pool = { size: 1, image: 'new' };
  const world = new WorldBuilder().declare([service('dns', [v1])], { pool });
  world.serving('s1', 'dns', v1, { claimedAt: 1 }).serving('s2', 'dns', v1, { claimedAt: 2 });
  world.machine('old').machine('fresh', { image: 'new' });
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first, 'claim', 'retire', 'drain'), ['claim fresh']);
  world.machine('fresh', { service: 'dns', version: v1, image: 'new', phase: 'starting' });
  t.deepEqual(acts(leader.plan(world, 1000), 'claim', 'retire', 'drain'), [], 'the new one serves first');
  world.serving('fresh', 'dns', v1, { image: 'new', claimedAt: 0 });
  t.deepEqual(
    acts(leader.plan(world, 1000), 'claim', 'retire', 'drain'),
    ['drain s1'],
    'one of the old image goes, not the oldest',
  );
  world.remove('s1').machine('next', { image: 'new' });
  t.deepEqual(acts(leader.plan(world, 1000), 'claim', 'retire'), ['claim next']);
  world.remove('s2').serving('next', 'dns', v1, { image: 'new' }).machine('last', { image: 'new' });
  t.deepEqual(acts(leader.plan(world, 1000), 'claim', 'retire', 'drain'), ['retire old']);
});

test('a pool of no size still gives machines of the new image to what serves', (t) => {
  const world = new WorldBuilder().declare([service('dns', [one])], { pool: { size: 0, image: 'new' } });
  const plan = new TestLeader().plan(world.serving('s1', 'dns', one));
  t.is(acts(plan, 'create').length, 1);
  t.deepEqual(acts(plan, 'drain', 'claim'), []);
});

test('a ledger that lost most of its machines takes them in again and destroys none (P3)', (t) => {
  const ten = version('1.0.0', 10);
  const world = new WorldBuilder().declare([service('dns', [ten])], { pool: 2 });
  for (let n = 0; n < 10; n += 1) world.list(`s${n}`, 'running').register(`s${n}`, 'dns', ten);
  world.list('idle1', 'running').list('idle2', 'running').list('dead', 'stopped');
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first, 'claim', 'adopt', 'readmit'), []);
  t.true(first.alarms.some(({ code, message }) => code === 'LEDGER_LOST' && message.startsWith('13 machines')));
  const second = leader.plan(world, 10_000);
  t.is(acts(second, 'readmit').length, 10);
  t.like(
    second.actions.find(({ kind }) => kind === 'readmit'),
    { runs: { service: 'dns', version: '1.0.0' } },
  );
  for (let n = 0; n < 10; n += 1) world.remove(`s${n}`).serving(`s${n}`, 'dns', ten);
  t.deepEqual(acts(leader.plan(world, 40_000), 'readmit', 'adopt'), [], 'what may serve has time to register');
  const third = leader.plan(world, 10_000);
  t.deepEqual(acts(third, 'readmit', 'adopt'), ['readmit idle1', 'readmit idle2']);
  t.deepEqual(acts(leader.plan(world, 300_000), 'adopt'), ['adopt dead'], 'what is dead serves nobody');
});

test('while machines that the ledger lost may serve, nothing is started in their place; then it is', (t) => {
  const world = new WorldBuilder()
    .declare([service('dns', [v1])])
    .machine('ready1')
    .machine('ready2');
  for (const uuid of ['a', 'b', 'c', 'd']) world.list(uuid, 'running');
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first, 'claim', 'retire', 'create'), []);
  t.true(first.waiting.some(({ why }) => /2 more wait: 4 machines that the ledger lost may serve it/.test(why)));
  t.is(acts(leader.plan(world, 60_000), 'claim').length, 2);
});

test('what serves and is not declared any more enters the ledger again, and leaves it in good order', (t) => {
  const old = version('0.9.0', 1);
  const world = new WorldBuilder().declare([service('dns', [one])]).serving('s', 'dns', one);
  world.list('x', 'running').register('x', 'dns', old);
  const leader = new TestLeader();
  leader.plan(world);
  t.deepEqual(acts(leader.plan(world, 10_000)), ['readmit x']);
  world.remove('x').serving('x', 'dns', old);
  t.deepEqual(acts(leader.plan(world, 1000)), ['drain x']);
});
