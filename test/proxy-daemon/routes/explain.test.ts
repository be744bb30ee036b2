import test from 'ava';
import { explainInstances, type Moment } from '../../../proxy-daemon/routes/explain/explain-instances.ts';
import { type ExplainInput, explainRequest } from '../../../proxy-daemon/routes/explain/explain-request.ts';
import { makeRoutes } from '../../../proxy-daemon/routes/make-routes.ts';
import { emptyRouteTable, type LiveRegistration } from '../../../proxy-daemon/routes/route-table.ts';
import type { Service } from '../../../specs/nouns.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

const now = 1_000_000;

function routesOf(services: Service[], registrations: LiveRegistration[]) {
  const desired = sampleEnvironment(services);
  return makeRoutes({ desired, registrations, previous: emptyRouteTable, dead: new Set(), now }).routes;
}

function moment(more: Partial<Moment> = {}): Moment {
  return { zone: null, inFlight: new Map(), down: new Set(), since: () => 0, ...more };
}

function explain(path: string, more: Partial<ExplainInput> = {}, method = 'GET', headers: [string, string][] = []) {
  return explainRequest({
    ...{ gateway: 'g1', at: now, mode: 'dynamic', modeReason: '', generation: 1, environment: null },
    ...{ routes: [], rejected: [], doors: [], rollout: () => null, moment: moment(), redirect: null, notes: [] },
    question: { path, method, headers: new Map(headers) },
    ...more,
  });
}

const three = [1, 2, 3].map((n) => sampleRegistration('dns', '1', n));

test('each instance has its chance and the reason: down, leaving, new, far away, busy', (t) => {
  const zoned = three.map((one, at) => ({ ...one, record: { ...one.record, zone: at < 2 ? 'a' : 'b' } }));
  const leaving = sampleRegistration('dns', '1', 4, { state: 'draining' });
  const [route] = routesOf([sampleService('dns', [sampleVersion('1', 4)])], [...zoned, leaving]);
  if (!route) return t.fail();
  const told = explainInstances(
    route,
    moment({ zone: 'a', down: new Set(['127.1.0.1:8080']), inFlight: new Map([['dns 127.1.0.2:8080', 5]]) }),
    now,
  );
  t.deepEqual(
    told.map(({ chance, inFlight }) => [chance, inFlight]),
    [
      ['last', 0],
      ['yes', 5],
      ['last', 0],
      ['no', 0],
    ],
  );
  t.deepEqual(
    told.map(({ why }) => why.split(' ').slice(0, 3).join(' ')),
    ['requests failed there', 'no other of', 'it is in', 'it announced that'],
  );
});

test('an instance that came a second ago gets a third of its share, unless all of its version are new', (t) => {
  const [route] = routesOf([sampleService('dns', [sampleVersion('1', 3)])], three);
  if (!route) return t.fail();
  const young = (key: string) => (key.includes('127.1.0.3') ? now - 1000 : 0);
  const [, , third] = explainInstances(route, moment({ since: young }), now);
  t.like(third, { chance: 'seldom', why: 'it is new: 33 % of its share now, all of it 3000 ms after it came' });
  const all = explainInstances(route, moment({ since: () => now - 1000 }), now);
  t.true(all.every(({ chance }) => chance === 'yes'));
});

test('instances that a mass loss holds are chosen, and those that do not answer are not', (t) => {
  const services = [sampleService('dns', [sampleVersion('1', 3)])];
  const before = makeRoutes({
    desired: sampleEnvironment(services),
    registrations: three,
    previous: emptyRouteTable,
    dead: new Set(),
    now,
  });
  const { routes } = makeRoutes({
    desired: sampleEnvironment(services),
    registrations: [],
    previous: before,
    dead: new Set([three[0]?.path ?? '']),
    now,
  });
  const told = explain('/dns/x', { routes });
  t.deepEqual(told.instances.map(({ state, chance }) => [state, chance]).sort(), [
    ['held', 'yes'],
    ['held', 'yes'],
    ['lost', 'no'],
  ]);
  t.regex(told.instances.find(({ state }) => state === 'held')?.why ?? '', /^vanished .* kept while it answers/);
  t.regex(told.notes.join(), /instances are held/);
});

test('shares are explained by weights, missing instances and rollouts', (t) => {
  const versions = [
    sampleVersion('1', 1, 90),
    sampleVersion('2', 1, 10),
    sampleVersion('3', 1, 5),
    sampleVersion('4', 1, 0),
  ];
  const registered = ['1', '2', '4'].map((version, at) => sampleRegistration('dns', version, at + 1));
  const routes = routesOf([sampleService('dns', versions)], registered);
  const rollout = () => ({ phase: 'rolling', from: ['1'], to: ['2'] });
  t.deepEqual(
    explain('/dns', { routes, rollout }).versions.map(({ why }) => why),
    [
      'its weight is 90, and beside it 2 has 10; a rollout is rolling and sets its weight: this is the old one',
      'its weight is 10, and beside it 1 has 90; a rollout is rolling and sets its weight: this is the new one',
      'it has no instance',
      'its weight is 0',
    ],
  );
});

test('the nearest routes that it is not are named with the reason, and a slip in a name is noticed', (t) => {
  const services = ['/dns', '/dns/inner', '/dnssec', '/mail'].map((route, at) =>
    sampleService(`s${at}`, [sampleVersion('1', 0)], { route }),
  );
  const routes = routesOf(services, []);
  const why = (path: string) => explain(path, { routes }).passedOver.map((one) => `${one.prefix}: ${one.why}`);
  t.deepEqual(why('/dns/inner/x'), ['/dns: it begins the path too, but /dns/inner is longer']);
  t.deepEqual(why('/dnssec/x'), ["/dns: segments count as a whole: /dns is none of the path's"]);
  t.deepEqual(why('/Mail/x'), ['/mail: only the case differs, and routes are compared with it']);
  t.deepEqual(why('/mial/x'), ['/mail: looks similar']);
});

test('a door says what it asks for, answers preflights, and closed ones let nobody in', (t) => {
  const routes = routesOf([sampleService('dns', [sampleVersion('1', 3)])], three);
  const door = {
    operations: [],
    ...{ service: 'dns', closed: '', apiKeys: { header: 'X-Key', clients: 2 }, users: false, clientCertificate: null },
    ...{ rate: { requests: 5, per: 's' as const, burst: 9 }, bodyBytes: 1024, origins: ['https://app.example'] },
  };
  const told = explain('/dns', { routes, doors: [door] }, 'POST');
  t.deepEqual(told.door, [
    'a body of at most 1024 bytes, else 413',
    'pages of https://app.example may read the answer (CORS)',
    'an API key of 2 known in X-Key, else 401',
    '5/s for a client and 9 at once beyond that, else 429',
  ]);
  t.regex(told.tries?.when ?? '', /POST that was sent is not sent again/);
  const preflight: [string, string][] = [['access-control-request-method', 'PUT']];
  t.is(explain('/dns', { routes, doors: [door] }, 'OPTIONS', preflight).outcome.status, 204);
  t.is(explain('/dns', { routes, doors: [{ ...door, closed: 'its API keys are none' }] }).outcome.status, 501);
  t.is(explain('/dns', { routes, doors: [door], mode: 'plain', moment: null }).outcome.status, 501);
});

test('a version that is asked for answers alone, at weight 0 too; splits, clients that keep theirs and copies are told', (t) => {
  const proxy = {
    sticky: { by: 'cookie' as const },
    override: 'X-MCP-Version',
    split: [{ method: 'GET', path: '/zones/{id}', to: '2', weight: 10 }],
    mirror: { to: '2', weight: 5 },
  };
  const service = sampleService('dns', [sampleVersion('1', 1, 100), sampleVersion('2', 1, 0)], { proxy });
  const routes = routesOf([service], [sampleRegistration('dns', '1', 1), sampleRegistration('dns', '2', 2)]);
  const chances = (told: ReturnType<typeof explain>) => told.instances.map(({ chance }) => chance);
  const usual = explain('/dns/zones/7?x', { routes });
  t.deepEqual(usual.choice, [
    '10 % of GET /zones/{id} go to 2, the rest by weight',
    'a request may name its version in X-MCP-Version',
    'a client keeps its version, told by a cookie',
    '5 % are copied to 2, whose answers reach nobody',
  ]);
  t.deepEqual(chances(usual), ['yes', 'yes']);
  t.deepEqual(chances(explain('/dns/zones', { routes })), ['yes', 'no']);
  const asked = (version: string) => explain('/dns/zones/7', { routes }, 'GET', [['x-mcp-version', version]]);
  t.deepEqual(chances(asked('2')), ['no', 'yes']);
  t.like(asked('3').outcome, {
    kind: 'refused',
    status: 503,
    why: 'the version that is asked for has no live instance',
  });
  t.deepEqual(explain('/dns/zones', { routes, mode: 'plain', moment: null }).choice, []);
});
