import test from 'ava';
import { firstSteps } from '../../../mcp/plan/first-steps.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { claimed, environment, machine, registration, registryPart, service, version } from '../../helpers/world.ts';

const known = { providerId: 'p' };

function declaring(declared: Environment, allowance: Record<string, number> = {}) {
  return {
    generation: 5,
    author: 'operator:ann',
    reason: 'plan',
    at: 2000,
    digest: 'd',
    allowance,
    environment: declared,
  };
}

function serving(uuid: string, of: ReturnType<typeof version>) {
  const observed = claimed(uuid, 'dns', of);
  return { ...observed, record: { ...observed.record, ...known, served: true } };
}

test('ready machines are claimed at once for a service that is new', (t) => {
  const v1 = version('1.0.0', 1);
  const { actions } = firstSteps(
    registryPart(null, { machines: [machine('p1', known)] }),
    declaring(environment(service('dns', [v1]))),
  );
  t.true(actions.some((action) => action.kind === 'claim' && action.uuid === 'p1' && action.service === 'dns'));
});

test('what becomes surplus is drained at once, as by a leader that has already looked around', (t) => {
  const v1 = version('1.0.0', 1);
  const registry = registryPart(environment(service('dns', [version('1.0.0', 2)])), {
    machines: [serving('a', v1), serving('b', v1)],
    registrations: [registration('a', 'dns', v1), registration('b', 'dns', v1)],
  });
  const { actions } = firstSteps(registry, declaring(environment(service('dns', [v1])), { dns: 1 }));
  t.is(actions.filter(({ kind }) => kind === 'drain').length, 1);
});

test('an old version waits until the new one serves', (t) => {
  const [v1, v2] = [version('1.0.0', 1), version('2.0.0', 1)];
  const registry = registryPart(environment(service('dns', [v1])), {
    machines: [serving('a', v1), machine('p1', known)],
    registrations: [registration('a', 'dns', v1)],
  });
  const { actions } = firstSteps(registry, declaring(environment(service('dns', [v2])), { dns: 1 }));
  t.true(actions.some((action) => action.kind === 'claim' && action.version === '2.0.0'));
  t.false(actions.some(({ kind }) => kind === 'drain' || kind === 'retire'));
});

test('while suspended it shows nothing but that', (t) => {
  const suspended = { record: { suspended: true, reason: 'maintenance', by: 'operator:ann', at: 1 }, version: 1 };
  const registry = registryPart(null, { suspended, machines: [machine('p1', known)] });
  const plan = firstSteps(registry, declaring(environment(service('dns', [version('1.0.0', 1)]))));
  t.deepEqual(plan.actions, []);
  t.true(plan.waiting.some(({ why }) => why.includes('maintenance')));
});
