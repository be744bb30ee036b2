import test from 'ava';
import fc from 'fast-check';
import { checkPlan, type TermFacts } from '../../../mcp/plan/check-plan.ts';
import type { Action, Plan } from '../../../mcp/plan/plan.ts';
import type { AgentPhase, MachineState } from '../../../registrar/records.ts';
import type { ProviderMachineState } from '../../../vm-factory/provider.ts';
import { service, startAt, TestLeader, version, WorldBuilder } from './world-builder.ts';

const two = version('1.0.0', 2);
const spent = { destroyed: [startAt], generation: 1, used: 0 };
const words = { operation: 'o', reason: 'test' };

function planned(world: WorldBuilder, actions: Action[]): Plan {
  const { asOf, epoch } = world.snapshot();
  return { generation: 1, epoch, asOf, actions, waiting: [], alarms: [] };
}

function promises(world: WorldBuilder, actions: Action[], term?: TermFacts): string[] {
  return checkPlan(world.snapshot(), planned(world, actions), term).map(({ promise }) => promise);
}

const retire = (uuid: string, budget = 'dns'): Action => ({ kind: 'retire', uuid, budget, spent, ...words });
const drain = (uuid: string): Action => ({ kind: 'drain', uuid, service: 'dns', version: '1.0.0', ...words });
const claim = (uuid: string, service = 'dns'): Action => ({ kind: 'claim', uuid, service, version: '1.0.0', ...words });
const destroy = (uuid: string, providerId = `p-${uuid}`): Action => ({
  kind: 'destroy',
  uuid,
  providerId,
  reason: 'test',
});

function dns(count = 2): WorldBuilder {
  return new WorldBuilder().declare([service('dns', [version('1.0.0', count)])]);
}

test('a plan of another epoch or another view is a violation of P8 and P6', (t) => {
  const world = dns();
  const plan = { ...planned(world, []), epoch: 2, asOf: 99 };
  t.deepEqual(
    checkPlan(world.snapshot(), plan).map(({ promise }) => promise),
    ['P8', 'P6'],
  );
});

test('P1: a destroy without a tombstone, of a stranger, or under another id is found', (t) => {
  const world = dns().machine('a').machine('b', { state: 'deleting' }).list('stranger', 'running');
  t.deepEqual(promises(world, [destroy('a')]), ['P1']);
  t.deepEqual(promises(world, [destroy('b', 'p-other')]), ['P1']);
  t.true(promises(world, [destroy('stranger')]).includes('P1'));
  t.deepEqual(promises(world, [destroy('b')]), []);
});

test('P2: more destructions than the budget has are found, and those paid for by another budget', (t) => {
  const world = dns(0).machine('a', { service: 'dns' }).machine('b', { service: 'dns' });
  t.deepEqual(promises(world, [retire('a')]), []);
  t.deepEqual(promises(world, [retire('a'), retire('b')]), ['P2']);
  t.true(promises(world, [retire('a', '_pool')]).includes('P2'));
  world.set({ budgets: { dns: { record: { destroyed: [startAt - 30_000], generation: 1, used: 0 }, version: 0 } } });
  t.deepEqual(promises(world, [retire('a')]), ['P2']);
});

test('P3: a drain or a retirement in a service that lost much is found', (t) => {
  const world = dns(10);
  for (let index = 0; index < 10; index += 1) {
    if (index < 6) world.serving(`m${index}`, 'dns', two);
    else world.machine(`m${index}`, { service: 'dns', version: two, served: true, phase: null });
  }
  t.deepEqual(promises(world, [retire('m9')]), ['P3']);
});

test('P4: a drain without a surplus and a retirement of what serves are found', (t) => {
  const world = dns(2).serving('a', 'dns', two).serving('b', 'dns', two);
  t.deepEqual(promises(world, [drain('a')]), ['P4']);
  world.serving('c', 'dns', two);
  t.deepEqual(promises(world, [drain('a')]), []);
  t.deepEqual(promises(world, [drain('a'), drain('b')]), ['P4']);
  t.deepEqual(promises(world, [retire('a')]), ['P4']);
});

test('P5: a claim of what is claimed, not ready, twice in one plan, or for what is not declared is found', (t) => {
  const world = dns().machine('a').machine('b', { state: 'verifying' }).machine('c', { service: 'dns' });
  t.deepEqual(promises(world, [claim('a')]), []);
  t.deepEqual(promises(world, [claim('b')]), ['P5']);
  t.deepEqual(promises(world, [claim('c')]), ['P5']);
  t.deepEqual(promises(world, [claim('a'), claim('a')]), ['form']);
  t.deepEqual(promises(world, [claim('a', 'web')]), ['P5']);
});

test('P6, P13, P14: acting on an old view, while suspended, or destroying in the quiet window is found', (t) => {
  const world = dns(2).machine('a').machine('d', { state: 'deleting' });
  t.deepEqual(promises(world, [claim('a')], { quiet: true, mustSee: 0 }), []);
  t.deepEqual(promises(world, [claim('a')], { quiet: false, mustSee: 101 }), ['P6']);
  t.deepEqual(promises(world, [destroy('d')], { quiet: true, mustSee: 0 }), ['P14']);
  t.deepEqual(promises(world.suspend('test'), [claim('a')]), ['P13']);
});

test('P7: burying what the provider lists and condemning what it calls running are found', (t) => {
  const world = dns().machine('a').machine('b', { provider: 'stopped' });
  t.deepEqual(promises(world, [{ kind: 'bury', uuid: 'a', reason: 'test' }]), ['P7']);
  t.deepEqual(promises(world, [{ kind: 'condemn', uuid: 'a', ...words }]), ['P1']);
  t.deepEqual(promises(world, [{ kind: 'condemn', uuid: 'b', ...words }]), []);
});

test('a drain of a protected instance is found', (t) => {
  const world = dns(1).serving('a', 'dns', two).serving('b', 'dns', two, { protected: true });
  t.deepEqual(promises(world, [drain('a')]), []);
  t.deepEqual(promises(world, [drain('b')]), ['form']);
});

test('an act without a reason is found (P16)', (t) => {
  t.deepEqual(promises(dns().machine('a'), [{ ...claim('a'), reason: '' }]), ['P16']);
});

const states: MachineState[] = ['building', 'verifying', 'ready', 'claimed', 'draining', 'deleting'];
const phases: (AgentPhase | null)[] = [
  'idle',
  'starting',
  'serving',
  'unhealthy',
  'draining',
  'stopped',
  'failed',
  null,
];
const providerStates: (ProviderMachineState | null)[] = ['building', 'running', 'stopped', 'error', 'unknown', null];
const versions = [version('1.0.0', 2), version('2.0.0', 3), version('1.0.0', 2, 'old')];

const machines = fc.array(
  fc.record({
    state: fc.constantFrom(...states),
    service: fc.constantFrom('dns', 'web', 'gone'),
    version: fc.constantFrom(...versions),
    served: fc.boolean(),
    registered: fc.constantFrom('up' as const, 'up' as const, 'draining' as const, undefined),
    phase: fc.constantFrom(...phases),
    provider: fc.constantFrom(...providerStates),
    protected: fc.boolean(),
    toLeave: fc.boolean(),
  }),
  { maxLength: 25 },
);

test('no plan of any world breaks what the checker knows of the promises', (t) => {
  const counts = fc.integer({ min: 0, max: 6 });
  const property = fc.property(
    machines,
    counts,
    counts,
    fc.boolean(),
    fc.integer({ min: 0, max: 200_000 }),
    (found, dnsCount, webCount, quiet, later) => {
      const world = new WorldBuilder().declare(
        [
          service('dns', [version('1.0.0', dnsCount), version('2.0.0', 1)]),
          service('web', [version('2.0.0', webCount)]),
        ],
        { pool: 2, allowance: { dns: 1 } },
      );
      for (const [index, machine] of found.entries()) {
        const claimed = ['claimed', 'draining', 'deleting'].includes(machine.state);
        world.machine(`m${index}`, claimed ? machine : { ...machine, service: undefined, registered: undefined });
      }
      const leader = new TestLeader({ quiet });
      for (const plan of [leader.plan(world), leader.plan(world, later)]) {
        const snapshot = { ...world.snapshot(), at: startAt + leader.now };
        const violations = checkPlan(snapshot, plan, { quiet: !leader.memory.quietOver, mustSee: 0 });
        t.deepEqual(violations, []);
      }
    },
  );
  fc.assert(property, { numRuns: 400 });
  t.pass();
});
