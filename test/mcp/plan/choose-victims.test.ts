/** Who goes first. */
import test from 'ava';
import fc from 'fast-check';
import { chooseVictims } from '../../../mcp/plan/choose-victims.ts';
import type { Plan } from '../../../mcp/plan/plan.ts';
import { describeWorld } from '../../../mcp/plan/world.ts';
import type { DesiredRecord } from '../../../registrar/records.ts';
import { acts, type MachineWords, service, startAt, TestLeader, version, WorldBuilder } from './world-builder.ts';

const minute = 60_000;
const one = version('1.0.0', 1);
const declared = (count: number, allowance = 99) =>
  new WorldBuilder().declare([service('dns', [version('1.0.0', count)])], { allowance: { dns: allowance } });

/** Instances in the order in which they go. */
function order(
  world: WorldBuilder,
  options: { count?: number; inFlight?: Map<string, number>; reversed?: boolean } = {},
) {
  const snapshot = world.snapshot();
  const units = describeWorld(snapshot, snapshot.desired?.record as DesiredRecord);
  const instances = [...(units.unitsOf.get('dns') ?? [])];
  if (options.reversed) instances.reverse();
  const input = { now: 0, newId: () => '', inFlight: options.inFlight };
  const chosen = chooseVictims({ snapshot, world: units, input }, instances, options.count ?? instances.length);
  return chosen.map(({ unit }) => unit.uuid).join(' ');
}

/** Young, healthy, with nothing to do and no zone: then what is said. */
function instances(words: Record<string, MachineWords>, count = 1): WorldBuilder {
  const world = declared(count);
  let port = 8000;
  for (const [uuid, own] of Object.entries(words))
    world.serving(uuid, 'dns', one, { claimedAt: startAt - minute, port: ++port, ...own });
  return world;
}

test('the one told to go, the sick, those of another image, the oldest go first', (t) => {
  const world = instances({
    a: {},
    oldest: { claimedAt: startAt - 600 * minute },
    image: { image: 'other' },
    sick: { phase: 'unhealthy' },
    told: { toLeave: true },
  });
  t.is(order(world), 'told sick image oldest a');
});

test('sick is what a gateway leaves out, what has lost its agent, and what its provider does not call running', (t) => {
  const old = { claimedAt: startAt - 9000 * minute };
  const world = instances({ old, a: {}, b: { phase: null }, c: { provider: 'unknown' } });
  world.gateway('g', 1, [{ path: '/services/dns/1.0.0/a', reason: 'address' }]);
  t.is(order(world), 'a b c old');
});

test('among those about as old the emptiest goes, as far as the gateways tell', (t) => {
  const world = instances({ a: { claimedAt: startAt - 2 * minute }, b: {}, c: { claimedAt: startAt - 1.5 * minute } });
  t.is(order(world), 'a c b');
  const inFlight = new Map([
    ['dns 127.0.0.1:8001', 40],
    ['dns 127.0.0.1:8003', 1],
    ['web 127.0.0.1:8002', 900],
  ]);
  t.is(order(world, { inFlight }), 'b c a');
  world.machine('older', { service: 'dns', version: one, registered: 'up', claimedAt: 0, port: 8004 });
  t.is(order(world, { inFlight: inFlight.set('dns 127.0.0.1:8004', 99) }), 'older b c a');
});

test('among equals one goes from the zone that has most, each time anew', (t) => {
  const world = instances({
    a1: { zone: 'a' },
    b1: { zone: 'b' },
    b2: { zone: 'b' },
    b3: { zone: 'b', protected: true },
    c1: { zone: 'c' },
    c2: { zone: 'c' },
  });
  t.is(order(world), 'b1 b2 c1 a1 c2', 'a protected one counts in its zone');
});

const words = fc.record({
  claimedAt: fc.constantFrom(startAt, startAt - minute, startAt - 2 * minute, startAt - 500 * minute, startAt + minute),
  phase: fc.constantFrom('serving' as const, 'serving' as const, 'unhealthy' as const, null),
  zone: fc.constantFrom(undefined, 'a', 'b'),
  image: fc.constantFrom('process', 'process', 'other'),
  protected: fc.boolean(),
  toLeave: fc.boolean(),
  provider: fc.constantFrom('running' as const, 'running' as const, 'unknown' as const),
});

test('the order is total: it does not depend on how the instances are listed, and more are the same ones first', (t) => {
  const property = fc.property(fc.array(words, { maxLength: 12 }), fc.nat(12), (found, count) => {
    const world = instances(Object.fromEntries(found.map((own, at) => [`m${at}`, own])));
    const all = order(world);
    t.is(order(world, { reversed: true }), all);
    t.is(order(world, { count }), all.split(' ').slice(0, count).join(' '));
    const free = found.flatMap((own, at) => (own.protected ? [] : [`m${at}`]));
    t.deepEqual(all.split(' ').filter(Boolean).sort(), free.sort(), 'each once, and no protected one');
  });
  fc.assert(property, { numRuns: 300 });
});

test('no instance that serves goes while one that does not can', (t) => {
  const some = fc.array(fc.record({ serves: fc.boolean(), words }), { maxLength: 12 });
  const property = fc.property(some, fc.nat(6), fc.constantFrom(0, 2, 99), (found, count, allowance) => {
    const world = declared(count, allowance);
    for (const [at, { serves, words: own }] of found.entries()) {
      if (serves) world.serving(`m${at}`, 'dns', one, own);
      else world.machine(`m${at}`, { service: 'dns', version: one, ...own, phase: 'starting' });
    }
    const done = acts(new TestLeader().plan(world), 'drain', 'retire');
    if (!done.some((act) => act.startsWith('drain'))) return;
    const stay = found.flatMap(({ serves, words: own }, at) =>
      serves || own.protected || done.includes(`retire m${at}`) ? [] : [`m${at}`],
    );
    t.deepEqual(stay, []);
  });
  fc.assert(property, { numRuns: 300 });
  t.pass();
});

const whys = (plan: Plan) => plan.waiting.map(({ why }) => why).join('\n');

test('protected instances stay: others go in their place, and where none are left it waits and says so', (t) => {
  const world = instances({ a: { protected: true }, b: {}, c: {} }, 2);
  t.deepEqual(acts(new TestLeader().plan(world), 'drain'), ['drain b']);
  const all = instances({ a: { protected: true }, b: { protected: true }, c: {} }, 1);
  const plan = new TestLeader().plan(all);
  t.deepEqual(acts(plan, 'drain'), ['drain c']);
  t.regex(whys(plan), /1 to go, but what is left is protected \(a, b\): mcp machines unprotect a/);
  const removed = new WorldBuilder().declare([]).serving('a', 'dns', one, { protected: true });
  const waits = new TestLeader().plan(removed);
  t.deepEqual(waits.actions, []);
  t.regex(whys(waits), /1 to go/);
});

test('a protected instance that fails is replaced like any other', (t) => {
  const world = declared(1)
    .machine('a', { service: 'dns', version: one, phase: 'failed', protected: true })
    .machine('b');
  t.deepEqual(acts(new TestLeader().plan(world), 'retire', 'claim'), ['claim b', 'retire a']);
});

test('a protected instance on an old image is left there, and nothing is claimed for it again and again', (t) => {
  const world = instances({ a: { image: 'other', protected: true } }).machine('b');
  t.deepEqual(new TestLeader().plan(world).actions, []);
});

test('one told to go is replaced first where it is not surplus, and then it is the one that goes', (t) => {
  const world = instances({ a: { claimedAt: 0 }, b: { toLeave: true } }, 2).machine('c');
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), ['claim c']);
  world.machine('c', { service: 'dns', version: one, phase: 'starting' });
  t.deepEqual(acts(leader.plan(world, 1000)), []);
  world.serving('c', 'dns', one, { claimedAt: startAt });
  t.deepEqual(acts(leader.plan(world, 1000)), ['drain b']);
});

test('one told to go that does not serve is retired at once, and another one takes its place', (t) => {
  const world = declared(1)
    .machine('a', { service: 'dns', version: one, phase: 'starting', toLeave: true })
    .machine('b');
  const leader = new TestLeader();
  t.deepEqual(acts(leader.plan(world)), ['retire a']);
  world.remove('a');
  t.deepEqual(acts(leader.plan(world)), ['claim b']);
});
