/** Routes of services that other software registers, alone or beside our own instances. */
import test from 'ava';
import fc from 'fast-check';
import { instanceWeights } from '../../../proxy-daemon/routes/instance-weights.ts';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import { emptyRouteTable, type LiveRegistration, type RouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import type { Environment, ForeignService } from '../../../specs/nouns.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

function environment(...services: ForeignService[]): Environment {
  const own = sampleEnvironment([sampleService('dns', [sampleVersion('1', 2, 80)])]);
  const registries = [{ dialect: 'curator' as const, graceMs: 0, services }];
  return { ...own, gateway: { ...own.gateway, ...(services.length > 0 && { registries }) } };
}
const pay: ForeignService = { service: 'pay', path: '/s/pay', route: '/money', version: 'curator', document: '/doc' };
const joined: ForeignService = { service: 'dns', path: '/s/dns', version: 'old', weight: 20 };
const foreign = (service: string, version: string, n: number, factor = 1, says = ''): LiveRegistration => {
  const one = sampleRegistration(service, version, n, { state: says === '' ? 'up' : 'draining' });
  return { ...one, path: `curator:/s/${service}/${n}`, foreign: { dialect: 'curator', says, factor } };
};
const routesOf = (
  desired: Environment,
  registrations: LiveRegistration[],
  previous: RouteTable = emptyRouteTable,
  dead: string[] = [],
) => makeRoutes({ desired, registrations, previous, dead: new Set(dead), now: 1000 });
const weights = (table: RouteTable, service: string) =>
  table.routes
    .find((route) => route.service === service)
    ?.instances.map(({ machine, weight }) => [machine.slice(-1), weight]);

test('a foreign service has the route and document declared for it, and its instances tell their dialect', (t) => {
  const table = routesOf(environment(pay), [
    foreign('pay', 'curator', 1),
    foreign('pay', 'curator', 2, 1, 'enabled: false'),
  ]);
  const route = table.routes.find(({ service }) => service === 'pay');
  t.like(route, { prefix: '/money', declared: true, document: '/doc' });
  t.deepEqual(
    route?.instances.map(({ state, dialect, says, weight }) => [state, dialect, says, weight]),
    [
      ['routed', 'curator', undefined, 1],
      ['draining', 'curator', 'enabled: false', 0],
    ],
  );
});

test('foreign instances beside a declared service share its traffic by weight, as a version of it', (t) => {
  const own = [sampleRegistration('dns', '1', 1), sampleRegistration('dns', '1', 2)];
  const table = routesOf(environment(joined), [...own, foreign('dns', 'old', 3)]);
  t.deepEqual(weights(table, 'dns'), [
    ['1', 2],
    ['2', 2],
    ['3', 1],
  ]);
});

test('an endpoint that our own agent registers too is its, whichever came last', (t) => {
  const own = sampleRegistration('dns', '1', 1);
  const other = foreign('dns', 'old', 9);
  const same = { ...other, record: { ...other.record, address: own.record.address } };
  const table = routesOf(environment(joined), [same, own]);
  t.deepEqual(weights(table, 'dns'), [['1', 1]]);
  t.deepEqual(table.rejected, [
    { path: same.path, reason: `${own.path} registers ${own.record.address}:8080 natively` },
  ]);
});

test('foreign instances lost all at once are held while they answer; taken out of the declaration they go at once', (t) => {
  const all = [1, 2, 3].map((n) => foreign('pay', 'curator', n));
  const other = sampleRegistration('dns', '1', 8);
  const before = routesOf(environment(pay), [...all, other]);
  t.is(
    routesOf(environment(pay), [other], before).routes.find(({ service }) => service === 'pay')?.instances[0]?.state,
    'held',
  );
  t.deepEqual(
    weights(
      routesOf(
        environment(pay),
        [other],
        before,
        all.map(({ path }) => path),
      ),
      'pay',
    ),
    [
      ['1', 0],
      ['2', 0],
      ['3', 0],
    ],
  );
  t.deepEqual(weights(routesOf(environment(), [other], before), 'pay'), []);
});

test('the same environment gives the same objects, with other registries or without', (t) => {
  const desired = environment(pay, joined);
  const all = [foreign('pay', 'curator', 1), sampleRegistration('dns', '1', 2)];
  const before = routesOf(desired, all);
  t.is(routesOf(desired, [...all].reverse(), before).routes, before.routes);
});

test('shares of one’s own divide a version’s traffic, and leave the versions’ shares as they are', (t) => {
  const table = routesOf(environment(joined), [
    sampleRegistration('dns', '1', 1),
    foreign('dns', 'old', 2, 3),
    foreign('dns', 'old', 3, 1),
  ]);
  t.deepEqual(weights(table, 'dns'), [
    ['1', 16],
    ['2', 3],
    ['3', 1],
  ]);
  const sharer = fc.record({
    version: fc.constantFrom('a', 'b'),
    factor: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1000, noNaN: true })),
  });
  fc.assert(
    fc.property(
      fc.array(sharer, { minLength: 1, maxLength: 12 }),
      fc.option(fc.integer({ min: 1, max: 99 })),
      (sharers, weight) => {
        const versions = [
          { version: 'a', weight },
          { version: 'b', weight: weight === null ? null : 100 - weight },
        ];
        const made = instanceWeights(versions, sharers);
        const sum = made.weights.reduce((all, one) => all + one, 0);
        for (const [index, { factor, version }] of sharers.entries()) {
          const own = made.weights[index] ?? 0;
          t.is(own > 0, factor > 0);
          t.true(Number.isInteger(own) && own <= 1_000_000);
          const mates = sharers
            .filter((other) => other.version === version)
            .reduce((all, other) => all + other.factor, 0);
          const share = made.versions.find((one) => one.version === version)?.share ?? 0;
          if (factor > 0) t.true(Math.abs(own / sum - (share * factor) / mates) < 0.05);
        }
      },
    ),
  );
});
