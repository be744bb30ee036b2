import test from 'ava';
import { renderStatus } from '../../../mcp/cli/render-status.ts';
import { isConverged, statusView } from '../../../mcp/view/status-view.ts';
import {
  claimed,
  environment,
  gateway,
  machine,
  registration,
  registryPart,
  service,
  version,
} from '../../helpers/world.ts';

const v1 = version('1.0.0', 2);
const dns = environment(service('dns', [v1]));
const quiet = { leader: 'controller-1', waiting: [], alarms: [] };

test('registered instances are live, claimed machines without a registration are starting', (t) => {
  const registry = registryPart(dns, {
    machines: [claimed('a', 'dns', v1), claimed('b', 'dns', v1, 'fetching')],
    registrations: [registration('a', 'dns', v1)],
  });
  const [view] = statusView(registry, quiet).services;
  t.is(view?.live, 1);
  t.deepEqual(
    view?.versions[0]?.instances.map(({ machine: id, state }) => [id, state]),
    [
      ['a', 'up'],
      ['b', 'starting'],
    ],
  );
});

test('an instance that drains is shown and does not count as live', (t) => {
  const registry = registryPart(dns, { registrations: [registration('a', 'dns', v1, { state: 'draining' })] });
  const [view] = statusView(registry, quiet).services;
  t.is(view?.live, 0);
  t.is(view?.versions[0]?.instances[0]?.state, 'draining');
});

test('a service that is declared no more is shown while it has instances', (t) => {
  const registry = registryPart(environment(), {
    machines: [claimed('a', 'old', v1)],
    registrations: [registration('a', 'old', v1)],
  });
  const view = statusView(registry, quiet);
  t.deepEqual(
    view.services.map(({ name, desired, live }) => ({ name, desired, live })),
    [{ name: 'old', desired: 0, live: 1 }],
  );
  t.false(isConverged(view));
});

test('instances of standalone agents beyond what is declared are shown as such and waited for by nobody', (t) => {
  const alone = registration('x', 'old', v1);
  const undeclared = statusView(registryPart(environment(), { registrations: [alone] }), quiet);
  t.true(undeclared.services[0]?.versions[0]?.instances[0]?.standalone);
  t.true(isConverged(undeclared));
  const one = version('1.0.0', 1);
  const beside = { machines: [claimed('a', 'dns', one)], registrations: [registration('a', 'dns', one)] };
  const declared = environment(service('dns', [one]));
  beside.registrations.push(registration('x', 'dns', one));
  t.false(isConverged(statusView(registryPart(declared, beside), quiet)), 'ours is surplus now');
});

test('it has converged only when every version has its count and nothing starts or drains', (t) => {
  const machines = [claimed('a', 'dns', v1), claimed('b', 'dns', v1)];
  const registrations = [registration('a', 'dns', v1), registration('b', 'dns', v1)];
  t.true(isConverged(statusView(registryPart(dns, { machines, registrations }), quiet)));
  t.false(isConverged(statusView(registryPart(dns, { machines, registrations: registrations.slice(1) }), quiet)));
  const third = claimed('c', 'dns', v1, 'starting');
  t.false(isConverged(statusView(registryPart(dns, { machines: [...machines, third], registrations }), quiet)));
});

test('the pool counts ready and coming machines, not claimed ones', (t) => {
  const machines = [
    machine('a'),
    machine('b', { state: 'building' }),
    machine('c', { state: 'verifying' }),
    claimed('d', 'dns', v1),
  ];
  t.deepEqual(statusView(registryPart(dns, { machines }), quiet).pool, { ready: 1, building: 2, target: 2 });
});

test('it has not converged while a gateway has not acknowledged the last change, or holds', (t) => {
  const world = {
    machines: [claimed('a', 'dns', version('1.0.0', 1))],
    registrations: [registration('a', 'dns', version('1.0.0', 1))],
  };
  const declared = environment(service('dns', [version('1.0.0', 1)]));
  const converged = (over: Parameters<typeof gateway>[0]) =>
    isConverged(statusView(registryPart(declared, { ...world, gateways: [gateway(over)] }), quiet));
  t.true(converged({}));
  t.false(converged({ served: { generation: 3, asOf: 9 } }));
  t.false(converged({ holding: 'the registry is empty' }));
});

test('instances of other registries stand with their service, marked, and take no part in whether all is as declared', (t) => {
  const own = environment(service('dns', [v1]));
  const word = {
    version: 'curator',
    dialect: 'curator' as const,
    path: 'curator:/s',
    instances: 1,
    routed: 0,
    out: [],
    problem: '',
  };
  const foreign = [
    { service: 'dns', ...word },
    { service: 'pay', route: '/money', ...word },
  ];
  const status = statusView(registryPart(own, { gateways: [gateway({ foreign })] }), {
    leader: 'c',
    waiting: [],
    alarms: [],
  });
  const { path: _, ...shown } = word;
  t.deepEqual(
    status.services.map(({ name, route, foreign: others }) => [name, route, others]),
    [
      ['dns', '/dns', [shown]],
      ['pay', '/money', [shown]],
    ],
  );
  t.deepEqual(status.services[1]?.versions, []);
  t.false(isConverged(status), 'dns lacks its own');
  const alone = statusView(registryPart(environment(), { gateways: [gateway({ foreign })] }), {
    leader: 'c',
    waiting: [],
    alarms: [],
  });
  t.true(isConverged(alone));
  t.true(renderStatus(status, false).includes('1 by curator'));
});

test('versions that run nowhere and shall not are only counted, unless a service has no others', (t) => {
  const idle = [version('1.0.0', 0), version('1.1.0', 0)];
  const declared = environment(service('dns', [...idle, version('1.2.0', 1)]), service('pay', idle));
  const status = statusView(registryPart(declared), { leader: 'c', waiting: [], alarms: [] });
  const words = renderStatus(status, false).split(/ {2,}|\n/);
  const shown = words.filter((word) => /^(dns|pay|1\.|and)/.test(word));
  t.deepEqual(shown, ['dns', '1.2.0', 'and 2 at 0', 'pay', '1.0.0', '1.1.0']);
});
