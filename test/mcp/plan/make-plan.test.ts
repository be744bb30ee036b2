import test from 'ava';
import { acts, service, TestLeader, version, WorldBuilder } from './world-builder.ts';

const v1 = version('1.0.0', 2);
const dns = (...versions: ReturnType<typeof version>[]) => [service('dns', versions)];

test('a world as declared needs nothing and waits for nothing', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).serving('a', 'dns', v1).serving('b', 'dns', v1);
  const plan = new TestLeader().plan(world);
  t.deepEqual(plan.actions, []);
  t.deepEqual(plan.waiting, []);
  t.deepEqual(plan.alarms, []);
});

test('the same snapshot, memory and ids give the same plan', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).machine('a').machine('b').machine('c');
  t.deepEqual(new TestLeader().plan(world), new TestLeader().plan(world));
});

test('a shortfall is met from the ready pool, each machine claimed once', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).machine('a').machine('b').machine('c');
  t.deepEqual(acts(new TestLeader().plan(world), 'claim'), ['claim a', 'claim b']);
});

test('a machine without an agent, without the provider running it, or with an assignment is not claimed', (t) => {
  const world = new WorldBuilder()
    .declare(dns(v1))
    .machine('a', { phase: null })
    .machine('b', { provider: 'unknown' })
    .machine('c', { state: 'verifying' });
  t.deepEqual(acts(new TestLeader().plan(world), 'claim'), []);
});

test('with an empty pool a shortfall says that it waits for machines', (t) => {
  const plan = new TestLeader().plan(new WorldBuilder().declare(dns(v1)).machine('a', { state: 'verifying' }));
  t.true(
    plan.waiting.some(
      ({ what, why }) => what === 'dns@1.0.0' && /2 more wait for a ready machine: pool empty, 1 building/.test(why),
    ),
  );
});

test('a short pool is shared out, services with no instance first', (t) => {
  const web = version('2.0.0', 4);
  const world = new WorldBuilder()
    .declare([service('dns', [version('1.0.0', 4)]), service('web', [web])])
    .serving('w1', 'web', web)
    .machine('a')
    .machine('b')
    .machine('c');
  const plan = new TestLeader().plan(world);
  const claimed = plan.actions.flatMap((action) => (action.kind === 'claim' ? [action.service] : []));
  t.deepEqual(claimed.sort(), ['dns', 'dns', 'web']);
});

test('claimed machines on their way count, so nothing is claimed twice for one shortfall', (t) => {
  const world = new WorldBuilder()
    .declare(dns(v1))
    .machine('a', { service: 'dns', version: v1, phase: 'fetching' })
    .machine('b', { service: 'dns', version: v1, phase: 'checking' })
    .machine('c');
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan, 'claim'), []);
  t.true(plan.waiting.some(({ why }) => why === '0 of 2 serve; 2 on their way (checking, fetching)'));
});

test('standalone agents count as live and are never victims', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare(dns(one)).register('alone-1', 'dns', one).register('alone-2', 'dns', one);
  const plan = new TestLeader().plan(world);
  t.deepEqual(plan.actions, []);
});

test('a registration that is not what its machine is claimed for counts for nothing', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare(dns(one)).machine('rogue').register('rogue', 'dns', one).machine('a');
  t.is(acts(new TestLeader().plan(world), 'claim').length, 1);
});

test('a surplus drains, oldest first, one budget at a time (P2)', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare(dns(one));
  for (const [index, uuid] of ['a', 'b', 'c'].entries()) world.serving(uuid, 'dns', one, { claimedAt: index });
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan), ['drain a']);
  t.true(plan.waiting.some(({ why }) => /budget of dns is used up/.test(why)));
});

test('what an operator gave up explicitly is not slowed by the budget', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare(dns(one), { allowance: { dns: 2 } });
  for (const uuid of ['a', 'b', 'c', 'd']) world.serving(uuid, 'dns', one);
  t.is(acts(new TestLeader().plan(world), 'drain').length, 3);
});

test('old instances stay until the new ones serve (P4)', (t) => {
  const v2 = version('2.0.0', 2);
  const world = new WorldBuilder()
    .declare(dns(v2), { allowance: { dns: 2 } })
    .serving('a', 'dns', v1)
    .serving('b', 'dns', v1);
  world.machine('c').machine('d');
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first), ['claim c', 'claim d']);
  t.true(first.waiting.some(({ why }) => /their replacements must serve first: 2 live, 2 declared/.test(why)));
  world.serving('c', 'dns', v2).machine('d', { service: 'dns', version: v2, phase: 'starting' });
  t.is(acts(leader.plan(world, 1000), 'drain').length, 1);
});

test('nothing leaves in reliance on an instance that the provider does not call running: that one itself does', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare(dns(one)).serving('a', 'dns', v1).serving('b', 'dns', one);
  world.serving('b', 'dns', one, { provider: 'error' });
  t.deepEqual(acts(new TestLeader().plan(world), 'drain'), ['drain b']);
  const old = version('0.9.0', 1);
  world.serving('a', 'dns', old);
  t.deepEqual(acts(new TestLeader().plan(world), 'drain'), [], 'what is declared may be dead');
  world.serving('b', 'dns', one);
  t.deepEqual(acts(new TestLeader().plan(world), 'drain'), ['drain a']);
});

test('a changed digest of the same version is replaced like a new version', (t) => {
  const changed = version('1.0.0', 1, 'other');
  const world = new WorldBuilder().declare(dns(changed)).serving('a', 'dns', v1).machine('b');
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), ['claim b']);
  world.serving('b', 'dns', changed);
  t.deepEqual(acts(leader.plan(world)), ['drain a']);
});

test('a removed service and a count of zero drain every instance, budget permitting', (t) => {
  const removed = new WorldBuilder()
    .declare([], { allowance: { dns: 2 } })
    .serving('a', 'dns', v1)
    .serving('b', 'dns', v1);
  t.deepEqual(acts(new TestLeader().plan(removed)), ['drain a', 'drain b']);
  const zero = new WorldBuilder()
    .declare(dns(version('1.0.0', 0)))
    .serving('a', 'dns', v1)
    .serving('b', 'dns', v1);
  t.is(acts(new TestLeader().plan(zero), 'drain').length, 1);
});

test('machines on their way to more than is declared are retired before anything that serves', (t) => {
  const world = new WorldBuilder()
    .declare(dns(version('1.0.0', 1)))
    .serving('a', 'dns', v1)
    .machine('b', { service: 'dns', version: v1, phase: 'starting' });
  t.deepEqual(acts(new TestLeader().plan(world)), ['retire b']);
});

test('a drain is proven when every gateway has acknowledged it, and only then retired', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).serving('a', 'dns', v1).serving('b', 'dns', v1);
  world.machine('c', {
    state: 'draining',
    service: 'dns',
    version: v1,
    registered: 'draining',
    mzxid: 80,
    served: true,
  });
  world.gateway('g1', 90).gateway('g2', 70);
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first), []);
  t.true(first.waiting.some(({ why }) => /requests in flight at gateway g2: at most 30 s more/.test(why)));
  world.gateway('g2', 80);
  t.deepEqual(acts(leader.plan(world, 1000)), ['retire c']);
});

test('without gateways a drain is proven once it is announced; without an announcement by its timeout', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).serving('a', 'dns', v1).serving('b', 'dns', v1);
  world.machine('c', { state: 'draining', service: 'dns', version: v1, registered: 'up', served: true });
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), []);
  t.deepEqual(acts(leader.plan(world, 29_999)), []);
  t.deepEqual(acts(leader.plan(world, 1)), ['retire c']);
  world.machine('c', { state: 'draining', service: 'dns', version: v1, registered: 'draining', served: true });
  t.deepEqual(acts(new TestLeader().plan(world)), ['retire c']);
});

test('a tombstoned machine is destroyed when its agent stopped, is gone, or had its time; and again if it stays', (t) => {
  const world = new WorldBuilder().declare(dns(version('1.0.0', 0)));
  const deleting = { state: 'deleting', service: 'dns', version: v1 } as const;
  world.machine('a', { ...deleting, phase: 'stopped' }).machine('b', { ...deleting, phase: null });
  world.machine('c', { ...deleting, phase: 'draining' });
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first), ['destroy a', 'destroy b']);
  t.true(first.waiting.some(({ why }) => /stops its service: at most 15 s more/.test(why)));
  t.true(acts(leader.plan(world, 15_000)).includes('destroy c'));
});

test('a destroyed machine is buried when the provider lists it no more', (t) => {
  const world = new WorldBuilder().declare(dns(version('1.0.0', 0)));
  world.machine('a', { state: 'deleting', service: 'dns', version: v1, phase: null, provider: null });
  t.deepEqual(acts(new TestLeader().plan(world)), ['bury a']);
});

test('a creation that never showed is given up after a minute, or soon where its leader leads no more', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).machine('a', { state: 'building', provider: null });
  const own = new TestLeader();
  t.deepEqual(acts(own.plan(world), 'bury'), []);
  t.deepEqual(acts(own.plan(world, 59_999), 'bury'), []);
  t.deepEqual(acts(own.plan(world, 1), 'bury'), ['bury a']);
  const successor = new TestLeader();
  world.set({ epoch: 2 });
  t.deepEqual(acts(successor.plan(world), 'bury'), []);
  t.deepEqual(acts(successor.plan(world, 4_999), 'bury'), []);
  t.deepEqual(acts(successor.plan(world, 1), 'bury'), ['bury a']);
});

test('a machine that died is buried at once and replaced in the same plan', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).serving('a', 'dns', v1).machine('c');
  world.serving('b', 'dns', v1, { provider: null });
  t.deepEqual(acts(new TestLeader().plan(world)), ['bury b', 'claim c']);
  world.serving('b', 'dns', v1, { provider: 'stopped' });
  t.deepEqual(acts(new TestLeader().plan(world)), ['condemn b', 'claim c']);
});

test('a machine whose state the provider cannot tell is untouched (fault 34)', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).serving('a', 'dns', v1).machine('c');
  world.serving('b', 'dns', v1, { provider: 'unknown' });
  t.deepEqual(acts(new TestLeader().plan(world)), []);
});

test('a machine in error that still serves is left alone', (t) => {
  const world = new WorldBuilder()
    .declare(dns(v1))
    .serving('a', 'dns', v1)
    .serving('b', 'dns', v1, { provider: 'error' });
  t.deepEqual(acts(new TestLeader().plan(world)), []);
});

test('a failed start is replaced and retired; after three in a row no more are tried for a while, then one (fault 40)', (t) => {
  const old = version('1.0.0', 0);
  const bad = version('2.0.0', 1);
  const world = new WorldBuilder()
    .declare(dns(old, bad), { allowance: { dns: 9 } })
    .serving('old', 'dns', version('1.0.0', 1));
  const leader = new TestLeader();
  for (const [index, uuid] of ['a', 'b', 'c'].entries()) {
    world.machine(`${uuid}-ready`);
    const claims = acts(leader.plan(world, 1000), 'claim');
    t.is(claims.length, 1, `try ${index + 1}`);
    world.remove(`${uuid}-ready`).machine(uuid, { service: 'dns', version: bad, phase: 'failed', reason: 'exit 1' });
  }
  world.machine('d');
  const plan = leader.plan(world, 1000);
  t.deepEqual(acts(plan, 'claim', 'drain'), [], 'the breaker is open and the old instance kept');
  t.true(
    plan.alarms.some(
      ({ code, message }) => code === 'START_FAILING' && /3 starts in a row failed.*exit 1/.test(message),
    ),
  );
  t.true(plan.waiting.some(({ what, why }) => what === 'dns@2.0.0' && /one more is tried in/.test(why)));
  t.deepEqual(acts(leader.plan(world, 300_000), 'claim'), ['claim d']);
});

test('a version that never served starts at most three at a time', (t) => {
  const world = new WorldBuilder().declare(dns(version('1.0.0', 10)));
  for (let index = 0; index < 10; index += 1) world.machine(`m${index}`);
  t.is(acts(new TestLeader().plan(world), 'claim').length, 3);
});

test('a claimed machine that never serves is given up at its deadline, by the leader’s own clock', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder()
    .declare(dns(one), { pool: 1 })
    .machine('a', { service: 'dns', version: one, phase: 'starting' })
    .machine('b');
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), []);
  t.deepEqual(acts(leader.plan(world, 119_999)), []);
  const plan = leader.plan(world, 1);
  t.deepEqual(acts(plan, 'claim', 'retire'), ['claim b', 'retire a']);
  t.regex(plan.actions[1]?.reason ?? '', /never served within 120 s \(agent: starting\)/);
});

test('an instance lost without the provider saying so gets a grace before it is replaced', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).serving('a', 'dns', v1).machine('c');
  world.machine('b', { service: 'dns', version: v1, served: true, phase: null });
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), []);
  t.deepEqual(acts(leader.plan(world, 10_000)), ['claim c']);
});

test('a mass failure stops every drain and retirement and caps replacements (P3)', (t) => {
  const ten = version('1.0.0', 10);
  const world = new WorldBuilder().declare(dns(ten), { allowance: { dns: 10 }, pool: 10 });
  for (let index = 0; index < 10; index += 1) {
    world.serving(`m${index}`, 'dns', ten).machine(`r${index}`);
  }
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), []);
  for (let index = 0; index < 4; index += 1)
    world.machine(`m${index}`, { service: 'dns', version: ten, served: true, phase: null });
  leader.plan(world, 1000);
  const plan = leader.plan(world, 200_000);
  t.is(acts(plan, 'claim').length, 1);
  t.deepEqual(acts(plan, 'drain', 'retire'), []);
  t.true(plan.alarms.some(({ code }) => code === 'MASS_FAILURE'));
});

test('where all of a service died, what caps its replacements is named as what it is', (t) => {
  const five = version('1.0.0', 5);
  const world = new WorldBuilder().declare(dns(five), { pool: 5 });
  for (let index = 0; index < 5; index += 1) world.serving(`m${index}`, 'dns', five).machine(`r${index}`);
  const leader = new TestLeader();
  leader.plan(world);
  for (let index = 0; index < 5; index += 1)
    world.machine(`m${index}`, { service: 'dns', version: five, served: true, phase: null });
  leader.plan(world, 1000);
  const plan = leader.plan(world, 200_000);
  t.is(acts(plan, 'claim').length, 1);
  t.true(plan.waiting.some(({ why }) => why === '4 more wait: mass failure: at most 1 starting at a time'));
});

test('a mass failure is known to a successor by the ledger', (t) => {
  const ten = version('1.0.0', 10);
  const world = new WorldBuilder().declare(dns(ten));
  for (let index = 0; index < 10; index += 1)
    world.machine(`m${index}`, { service: 'dns', version: ten, served: true, phase: 'failed' });
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan, 'retire', 'drain'), []);
});

test('registrations of machines that seem dead stay while many seem so', (t) => {
  const ten = version('1.0.0', 10);
  const world = new WorldBuilder().declare(dns(ten));
  for (let index = 0; index < 10; index += 1)
    world.serving(`m${index}`, 'dns', ten, index < 5 ? { provider: 'stopped' } : {});
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan, 'condemn', 'bury'), []);
});

test('a provider that suddenly lists next to nothing buries no machine whose agent is connected', (t) => {
  const world = new WorldBuilder().declare([]);
  for (let index = 0; index < 5; index += 1) world.machine(`m${index}`, { provider: null });
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan), []);
  t.true(plan.alarms.some(({ code }) => code === 'PROVIDER_SHRANK'));
});

test('an explicit scale-down is no mass failure', (t) => {
  const world = new WorldBuilder().declare(dns(version('1.0.0', 10)));
  for (let index = 0; index < 10; index += 1) world.serving(`m${index}`, 'dns', v1);
  const leader = new TestLeader();
  leader.plan(world);
  world.declare(dns(version('1.0.0', 2)), { allowance: { dns: 8 } });
  t.is(acts(leader.plan(world, 1000), 'drain').length, 8);
});

test('nothing destructive in the quiet window, and not before the view stands still; claims go on (P14)', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare([service('dns', [one]), service('web', [one])]);
  world.serving('a', 'dns', one).serving('b', 'dns', one).machine('c');
  const leader = new TestLeader({ quiet: true });
  const first = leader.plan(world);
  t.deepEqual(acts(first), ['claim c']);
  t.true(first.waiting.some(({ what, why }) => what === 'dns' && /quiet window/.test(why)));
  world.machine('c', { service: 'web', version: one, phase: 'starting' });
  world.gateway('g1', 100);
  t.deepEqual(acts(leader.plan(world, 14_000), 'drain'), []);
  t.deepEqual(acts(leader.plan(world, 1_000), 'drain'), [], 'the gateway came only just now');
  t.is(acts(leader.plan(world, 2_000), 'drain').length, 1);
});

test('while suspended MCP only notes (P13)', (t) => {
  const world = new WorldBuilder()
    .declare(dns(version('1.0.0', 1)))
    .suspend('maintenance')
    .machine('c');
  world
    .serving('a', 'dns', v1)
    .serving('b', 'dns', v1, { served: false })
    .machine('d', { state: 'deleting', provider: null });
  const plan = new TestLeader().plan(world);
  t.deepEqual(acts(plan), ['confirm b']);
  t.true(plan.waiting.some(({ what, why }) => what === 'everything' && /suspended by tester: maintenance/.test(why)));
});

test('a view older than the own last write is not planned on, for at most five minutes (P6)', (t) => {
  const world = new WorldBuilder().declare(dns(v1)).machine('a');
  const leader = new TestLeader();
  leader.memory = { ...leader.memory, lastWriteZxid: 101, lastWriteAt: 0 };
  const plan = leader.plan(world);
  t.deepEqual(plan.actions, []);
  t.regex(plan.waiting[0]?.why ?? '', /own writes/);
  t.is(acts(leader.plan(world, 300_000), 'claim').length, 1);
});

test('another cluster’s registry, one put back, and nothing declared halt everything', (t) => {
  const world = new WorldBuilder().machine('a', { state: 'deleting', provider: null });
  t.regex(new TestLeader().plan(world).waiting[0]?.why ?? '', /nothing is declared/);
  world.declare(dns(v1), { generation: 5 });
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), ['bury a', 'create id-1']);
  world.declare(dns(v1), { generation: 4 });
  t.deepEqual(
    leader.plan(world).alarms.map(({ code }) => code),
    ['REGISTRY_WENT_BACK'],
  );
  const other = new TestLeader().plan(world.set({ clusterId: 'other' }));
  t.deepEqual([other.actions, other.alarms.map(({ code }) => code)], [[], ['CLUSTER_MISMATCH']]);
});

test('the budget is measured by the leader’s own clock: a wrong wall clock frees nothing', (t) => {
  const one = version('1.0.0', 1);
  const world = new WorldBuilder().declare(dns(one)).serving('a', 'dns', one).serving('b', 'dns', one);
  world.set({ budgets: { dns: { record: { destroyed: [1], generation: 1, used: 0 }, version: 3 } } });
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world), 'drain'), []);
  t.deepEqual(acts(leader.plan(world, 59_999), 'drain'), []);
  t.is(acts(leader.plan(world, 1), 'drain').length, 1);
});

test('an orphan is adopted for destruction after its time, one that serves never', (t) => {
  const world = new WorldBuilder()
    .declare([])
    .list('orphan', 'running')
    .list('odd', 'running')
    .register('odd', 'dns', { ...v1, digest: undefined as unknown as string });
  const leader = new TestLeader();
  const first = leader.plan(world);
  t.deepEqual(acts(first), []);
  t.deepEqual(
    first.alarms.map(({ code }) => code),
    ['ORPHAN_SERVES'],
  );
  t.deepEqual(acts(leader.plan(world, 300_000)), ['adopt orphan']);
});

test('a machine that the ledger and the provider know by different ids is left alone', (t) => {
  const world = new WorldBuilder().declare([]).machine('a', { state: 'deleting', phase: null });
  const snapshot = world.snapshot();
  const [machine] = snapshot.machines;
  if (machine) machine.record.providerId = 'p-other';
  const plan = new TestLeader().plan(world.set({ machines: snapshot.machines }));
  t.deepEqual(plan.actions, []);
  t.deepEqual(
    plan.alarms.map(({ code }) => code),
    ['MACHINE_IDENTITY'],
  );
});

test('configuration follows what is declared', (t) => {
  const world = new WorldBuilder().declare([{ ...service('dns', []), config: { ttl: 60 } }]).set({ configs: {} });
  t.deepEqual(acts(new TestLeader().plan(world)), ['configure dns']);
  world.declare([{ ...service('dns', []), config: { ttl: 60 } }]);
  t.deepEqual(acts(new TestLeader().plan(world)), []);
  const damaged = new TestLeader().plan(world.set({ configs: { dns: { record: null, version: 3 } } }));
  t.deepEqual(acts(damaged), ['configure dns']);
  t.regex(damaged.actions[0]?.reason ?? '', /damaged/);
});
