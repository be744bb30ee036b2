import test from 'ava';
import fc from 'fast-check';
import { type PlanChange, ServicePlanner } from '../../../proxy-daemon/document/service-planner.ts';
import type { DocumentDoor, DocumentTarget } from '../../../proxy-daemon/document-source.ts';
import { planFromScratch } from '../../helpers/plan-from-scratch.ts';

/** To the end of all steps. */
function update(planner: ServicePlanner, ...told: Parameters<ServicePlanner['update']>): PlanChange {
  const steps = planner.update(...told);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function plannedOf(targets: readonly DocumentTarget[]) {
  const planner = new ServicePlanner();
  update(planner, targets);
  return planner.plan;
}

test('the version with the greatest weight is shown first, then the newest', (t) => {
  const target = (version: string, weight?: number, service = 'dns', route = '/dns') => ({
    service,
    version,
    address: '127.0.0.1',
    port: 1,
    path: '/openapi.json',
    route,
    weight,
  });
  const order = (...targets: ReturnType<typeof target>[]) =>
    plannedOf(targets).services.map(({ versions }) => versions.map(({ version }) => version));
  t.deepEqual(order(target('1.9.0'), target('1.10.0'), target('1.10.0-rc.1')), [['1.10.0', '1.10.0-rc.1', '1.9.0']]);
  t.deepEqual(order(target('1.0.0', 90), target('1.1.0', 10)), [['1.0.0', '1.1.0']]);
  const plan = plannedOf([
    target('1', 1, 'b', '/x/'),
    target('1', 1, 'a', '/x'),
    target('1', 1, 'c', '/x/y'),
    target('1', 1, 'd', '/'),
  ]);
  t.deepEqual(
    plan.services.map(({ service, nested }) => [service, nested.includes('/x/y')]),
    [
      ['a', true],
      ['c', false],
      ['d', true],
    ],
  );
  t.deepEqual(plan.clashing, [{ service: 'b', version: '1', reason: 'the route /x belongs to a' }]);
});

const target = fc.record({
  service: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  version: fc.constantFrom('1', '2', '2-rc.1'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  port: fc.constantFrom(80, 81),
  path: fc.constantFrom('/o', '/p'),
  route: fc.constantFrom('/', '/x', '/x/', '/x/y', '/x//z', '/xy', '/docs', '/docs/x/y'),
  weight: fc.constantFrom(0, 1, 5),
});
const door: DocumentDoor = {
  keyHeader: 'x-key',
  users: false,
  certificate: false,
  bodies: false,
  rate: false,
  operations: [],
};
const doors = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom(door, { ...door, users: true }));
/** Some of the list stays, some goes, some comes. */
const step = fc.record({
  doors,
  from: fc.nat(8),
  remove: fc.nat(3),
  add: fc.array(target, { maxLength: 3 }),
});

test('what is planned after any changes is what would be planned from scratch', (t) => {
  fc.assert(
    fc.property(fc.array(target, { maxLength: 8 }), fc.array(step, { maxLength: 8 }), (first, steps) => {
      const planner = new ServicePlanner();
      let targets = first;
      update(planner, targets);
      t.deepEqual(planner.plan, planFromScratch(targets));
      for (const { doors, from, remove, add } of steps) {
        targets = targets.toSpliced(from, remove, ...add);
        const before = planner.plan;
        const change = update(planner, targets, doors);
        t.deepEqual(planner.plan, planFromScratch(targets, doors));
        const told = new Set([...change.planned, ...change.before]);
        // Others are the same objects, so that nothing is made anew for them.
        for (const planned of planner.plan.services) t.is(before.services.includes(planned), !told.has(planned));
        for (const planned of before.services) t.is(planner.plan.services.includes(planned), !told.has(planned));
        t.is(planner.plan.clashing === before.clashing, !change.clashingChanged);
        for (const planned of planner.plan.services) t.is(planner.planned(planned.service), planned);
      }
    }),
    { numRuns: 300 },
  );
});

test('one service that moves is planned anew alone', (t) => {
  const at = (service: string, port: number) => ({
    ...{ service, version: '1', address: '10.0.0.1', port, path: '/o', route: `/${service}` },
  });
  const planner = new ServicePlanner();
  const targets = ['a', 'b', 'c'].map((service) => at(service, 80));
  t.is(update(planner, targets).planned.length, 3);
  t.deepEqual(update(planner, [...targets]), { planned: [], before: [], clashingChanged: false });
  const { planned, before } = update(planner, targets.with(1, at('b', 81)));
  t.deepEqual(
    [planned, before].map((list) => list.map(({ service }) => service)),
    [['b'], ['b']],
  );
});

test('until all steps are done the plan is the one before', (t) => {
  const at = (service: string) => ({
    service,
    version: '1',
    address: '10.0.0.1',
    port: 80,
    path: '/o',
    route: `/${service}`,
  });
  const planner = new ServicePlanner();
  update(planner, ['a', 'b'].map(at));
  const before = planner.plan;
  const steps = planner.update(['b', 'c', 'd'].map(at));
  for (let step = steps.next(); !step.done; step = steps.next()) {
    t.is(planner.plan, before);
    t.truthy(planner.planned('a'));
    t.is(planner.planned('c'), undefined);
  }
  t.is(planner.planned('a'), undefined);
  t.truthy(planner.planned('c'));
});
