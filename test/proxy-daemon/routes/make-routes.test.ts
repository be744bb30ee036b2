import test from 'ava';
import fc from 'fast-check';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import type { LiveRegistration, RouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import { emptyRouteTable } from '../../../proxy-daemon/routes/route-table.ts';
import type { Environment } from '../../../specs/nouns.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

const none: ReadonlySet<string> = new Set();
const routesOf = (
  desired: Environment | null,
  registrations: LiveRegistration[],
  previous = emptyRouteTable,
): RouteTable => makeRoutes({ desired, registrations, previous, dead: none, now: 1000 });
const dns = (...versions: ReturnType<typeof sampleVersion>[]) => sampleService('dns', versions);

test('a declared service gets its declared route, also before anything is registered', (t) => {
  const table = routesOf(
    sampleEnvironment([sampleService('dns', [sampleVersion('1', 2)], { route: '/names/dns' })]),
    [],
  );
  t.like(table.routes[0], { prefix: '/names/dns', service: 'dns', declared: true, instances: [] });
});

test('a service that nobody declared gets its name as route', (t) => {
  const table = routesOf(null, [sampleRegistration('mail', '1', 1)]);
  t.like(table.routes[0], { prefix: '/mail', declared: false });
  t.is(table.routes[0]?.instances.length, 1);
});

test('a declared route wins over an undeclared service of that name, which is rejected with the reason', (t) => {
  const environment = sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)], { route: '/mail' })]);
  const table = routesOf(environment, [sampleRegistration('mail', '1', 1), sampleRegistration('dns', '1', 2)]);
  t.deepEqual(
    table.routes.map(({ prefix, service }) => [prefix, service]),
    [['/mail', 'dns']],
  );
  t.regex(table.rejected.map(({ reason }) => reason).join(), /route \/mail is taken by dns/);
});

test('a route that nothing changed for is the same object as before, and so are all routes together', (t) => {
  const [one, two] = [sampleRegistration('dns', '1', 1), sampleRegistration('mail', '1', 2)];
  const before = routesOf(null, [one]);
  const after = routesOf(null, [one, two], before);
  t.deepEqual(
    after.routes.map(({ service }) => service),
    ['mail', 'dns'],
  );
  t.is(after.routes[1], before.routes[0]);
  t.is(routesOf(null, [two, one], after).routes, after.routes);
  const moved = { ...one, record: { ...one.record, port: 9 } };
  t.is(routesOf(null, [moved], before).routes[0]?.instances[0]?.port, 9);
});

test('longest prefix first, then by name', (t) => {
  const at = (name: string, route: string) => sampleService(name, [sampleVersion('1', 1)], { route });
  const table = routesOf(sampleEnvironment([at('a', '/b'), at('b', '/a/long'), at('c', '/a'), at('d', '/')]), []);
  t.deepEqual(
    table.routes.map(({ prefix }) => prefix),
    ['/a/long', '/a', '/b', '/'],
  );
});

test('draining instances and versions of weight 0 are listed but get no traffic', (t) => {
  const environment = sampleEnvironment([dns(sampleVersion('1', 2, 100), sampleVersion('2', 1, 0))]);
  const table = routesOf(environment, [
    sampleRegistration('dns', '1', 1),
    sampleRegistration('dns', '1', 2, { state: 'draining' }),
    sampleRegistration('dns', '2', 3),
  ]);
  t.deepEqual(
    table.routes[0]?.instances.map(({ machine, state, weight }) => [machine, state, weight]),
    [
      ['machine-0001', 'routed', 1],
      ['machine-0002', 'draining', 0],
      ['machine-0003', 'idle', 0],
    ],
  );
  t.is(table.holding, '');
});

test('an unusable registration or route is left out alone, with its reason', (t) => {
  const environment = sampleEnvironment([
    dns(sampleVersion('1', 1)),
    sampleService('evil', [sampleVersion('1', 1)], { route: '/x;} return 200' }),
    sampleService('grab', [sampleVersion('1', 1)], { route: '/status' }),
  ]);
  const table = routesOf(environment, [
    sampleRegistration('dns', '1', 1),
    sampleRegistration('dns', '1', 2, { address: '1.2.3.4;' }),
    sampleRegistration('dns', '1', 3, { address: 'localhost' }),
    sampleRegistration('dns', '1', 4, { port: 70_000 }),
    sampleRegistration('evil', '1', 5),
  ]);
  t.deepEqual(
    table.routes.map(({ service, instances }) => [service, instances.length]),
    [['dns', 1]],
  );
  t.is(table.rejected.length, 6);
  t.true(table.rejected.every(({ reason }) => reason.length > 10));
});

test('of two registrations of one endpoint the newer one counts', (t) => {
  const table = routesOf(null, [
    sampleRegistration('dns', '1', 1, { address: '127.0.0.9' }),
    sampleRegistration('dns', '1', 2, { address: '127.0.0.9' }),
  ]);
  t.deepEqual(
    table.routes[0]?.instances.map(({ machine }) => machine),
    ['machine-0002'],
  );
  t.regex(table.rejected[0]?.reason ?? '', /newer registration/);
});

test('the order of registrations does not matter', (t) => {
  const some = fc.array(
    fc.record({
      s: fc.constantFrom('dns', 'mail', 'web'),
      v: fc.constantFrom('1', '2'),
      n: fc.integer({ min: 1, max: 30 }),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(some, fc.infiniteStream(fc.nat()), (list, shuffle) => {
      const registrations = [...new Map(list.map(({ s, v, n }) => [n, sampleRegistration(s, v, n)])).values()];
      const shuffled = registrations
        .map((one) => ({ one, key: shuffle.next().value }))
        .sort((a, b) => a.key - b.key)
        .map(({ one }) => one);
      const environment = sampleEnvironment([dns(sampleVersion('1', 3, 90), sampleVersion('2', 3, 10))]);
      t.deepEqual(routesOf(environment, shuffled), routesOf(environment, registrations));
    }),
    { numRuns: 50 },
  );
});
