/** Which version a client gets: by its cookie, address or header, by its wish, by its operation. On real nginx. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { createDocumentStore } from '../../../proxy-daemon/document/document-store.ts';
import { objectAt } from '../../../proxy-daemon/document/json.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import type { MirrorFigures, TrafficReport } from '../../../proxy-daemon/version-figures.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import type { LimitsSpec } from '../../../specs/front-door.ts';
import type { ProxySpec } from '../../../specs/nouns.ts';
import { smallDocument } from '../../helpers/document-server.ts';
import { eventually } from '../../helpers/eventually.ts';
import { type TestGateway, testGateway } from '../../helpers/gateway.ts';
import { startBackend } from '../../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

interface Declared {
  proxy?: ProxySpec;
  limits?: LimitsSpec;
  /** Weights by version. */
  weights: Record<string, number>;
}

let generation = 0;

async function declare(gateway: TestGateway, services: Record<string, Declared>): Promise<void> {
  generation += 1;
  const all = Object.entries(services).map(([name, { proxy, limits, weights }]) =>
    sampleService(
      name,
      Object.entries(weights).map(([version, weight]) => sampleVersion(version, 1, weight)),
      { ...(proxy && { proxy }), ...(limits && { limits }) },
    ),
  );
  await gateway.declare(sampleEnvironment(all), generation);
  await gateway.settled();
}

/** A gateway with a backend a version that answers with the version's name and the cookie it got. */
async function gatewayWith(
  t: Parameters<typeof testGateway>[0],
  services: Record<string, string[]>,
  mode: 'dynamic' | 'plain' = 'dynamic',
) {
  const gateway = await testGateway(t);
  let n = 0;
  for (const [service, versions] of Object.entries(services)) {
    for (const version of versions) {
      const { port } = await startBackend(t, version, {
        answer: (_: unknown, response: { end(text: string): void }) => response.end(version),
      });
      n += 1;
      await gateway.register(sampleRegistration(service, version, n, { address: '127.0.0.1', port }));
    }
  }
  gateway.start({ mode });
  return gateway;
}

/** Who answers each of the requests. */
async function answers(
  gateway: TestGateway,
  path: string,
  headers: readonly Record<string, string>[],
): Promise<string[]> {
  const found: string[] = [];
  const parallel = 16;
  for (let at = 0; at < headers.length; at += parallel) {
    const some = headers.slice(at, at + parallel).map((one) => gateway.ask(path, one));
    for (const { body } of await Promise.all(some)) found.push(body);
  }
  return found;
}

const share = (all: readonly string[], one: string) => all.filter((name) => name === one).length / all.length;
const tenants = (count: number) => Array.from({ length: count }, (_, n) => ({ 'x-tenant': `tenant-${n}` }));

test('a client keeps its version while weights stand; a change of weights moves the share that must move, in one direction', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1', '2', '3'] });
  const proxy: ProxySpec = { sticky: { by: 'header', name: 'X-Tenant' } };
  await declare(gateway, { dns: { proxy, weights: { '1': 90, '2': 10, '3': 0 } } });
  const clients = tenants(2000);
  const first = await answers(gateway, '/dns/x', clients);
  t.true(Math.abs(share(first, '2') - 0.1) < 0.02, `${share(first, '2')}`);
  t.deepEqual(await answers(gateway, '/dns/x', clients), first, 'the same ones again');

  await declare(gateway, { dns: { proxy, weights: { '1': 80, '2': 20, '3': 0 } } });
  const second = await answers(gateway, '/dns/x', clients);
  t.true(Math.abs(share(second, '2') - 0.2) < 0.02);
  t.true(
    first.every((name, at) => name === '1' || second[at] === name),
    'nobody leaves the version that grew',
  );

  // A third version takes from both and moves nobody between them.
  await declare(gateway, { dns: { proxy, weights: { '1': 80, '2': 20, '3': 25 } } });
  const third = await answers(gateway, '/dns/x', clients);
  t.true(Math.abs(share(third, '3') - 0.2) < 0.025);
  t.true(second.every((name, at) => third[at] === name || third[at] === '3'));
  // Each worker spreads its own: of so many all of them together are off by some four at most.
  const without = await answers(
    gateway,
    '/dns/x',
    Array.from({ length: 500 }, () => ({})),
  );
  t.true(Math.abs(share(without, '3') - 0.2) < 0.02, 'who has no such header goes by the weights');
});

test('a cookie is set once, for whom it decides something, and keeps its client', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1', '2'], single: ['1'], behind: ['1', '2'], usual: ['1', '2'] });
  const proxy: ProxySpec = { sticky: { by: 'cookie' } };
  const weights = { '1': 50, '2': 50 };
  await declare(gateway, {
    dns: { proxy, weights },
    single: { proxy, weights: { '1': 1 } },
    behind: { proxy, limits: { bodyBytes: 4096 }, weights },
    usual: { weights },
  });
  const { headers, body } = await gateway.ask('/dns/x');
  const [said = ''] = [headers['set-cookie']].flat();
  t.regex(said, /^mcp_dns=[0-9a-f]{32}; Path=\/dns; Max-Age=2592000; HttpOnly; SameSite=Lax$/);
  const cookie = { cookie: `other=1; ${said.split(';')[0]}` };
  for (let n = 0; n < 20; n += 1) {
    const again = await gateway.ask('/dns/x', cookie);
    t.is(again.body, body);
    t.is(again.headers['set-cookie'], undefined);
  }
  const forged = await gateway.ask('/dns/x', { cookie: 'mcp_dns=<script>' });
  t.regex(String(forged.headers['set-cookie']), /^mcp_dns=[0-9a-f]{32};/);
  const behind = String((await gateway.ask('/behind/x')).headers['set-cookie']);
  t.regex(behind, /^mcp_behind=/, 'also behind a door');
  const [one] = await answers(gateway, '/behind/x', [{ cookie: behind }]);
  const same = await answers(
    gateway,
    '/behind/x',
    Array.from({ length: 10 }, () => ({ cookie: behind })),
  );
  t.true(same.every((name) => name === one));
  t.is((await gateway.ask('/single/x')).headers['set-cookie'], undefined);
  t.is((await gateway.ask('/usual/x')).headers['set-cookie'], undefined);
  const many = await answers(
    gateway,
    '/dns/x',
    Array.from({ length: 400 }, () => ({})),
  );
  t.true(Math.abs(share(many, '2') - 0.5) < 0.1, 'new clients go by the weights');
});

test('who names a version by the header gets that one, also at weight 0, and never another one', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1.2.0', '1.3.0'], closed: ['1.2.0', '1.3.0'] });
  const weights = { '1.2.0': 100, '1.3.0': 0 };
  const sticky = { by: 'client' } as const;
  await declare(gateway, { dns: { proxy: { sticky, override: 'X-MCP-Version' }, weights }, closed: { weights } });
  const wish = (version: string, path = '/dns/x') => gateway.ask(path, { 'x-mcp-version': version });
  for (let n = 0; n < 10; n += 1) {
    t.is((await wish('1.3.0')).body, '1.3.0');
    t.is((await gateway.ask('/dns/x')).body, '1.2.0', 'others never get it');
    t.is((await wish('1.3.0', '/closed/x')).body, '1.2.0', 'where nobody declared it the header is nothing');
  }
  for (const wrong of ['1.4.0', '1.3', '1.3.0\u00e4', 'x'.repeat(5000)]) {
    const { status, body } = await wish(wrong);
    t.is(status, 503, wrong.slice(0, 10));
    t.is((JSON.parse(body) as { error: { code: string } }).error.code, 'NO_LIVE_INSTANCE');
  }
});

test('an operation is split as declared, exactly; all others go by the weights', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1', '2'] });
  const split = [
    { method: 'GET', path: '/zones/{id}', to: '2', weight: 10 },
    { method: 'GET', path: '/a.b', to: '2', weight: 100 },
    { method: 'GET', path: '/gone', to: '9', weight: 100 },
  ];
  await declare(gateway, { dns: { proxy: { split }, weights: { '1': 100, '2': 0 } } });
  const times = (count: number) => Array.from({ length: count }, () => ({}));
  const some = await answers(gateway, '/dns/zones/example.com?q=/x', times(10_000));
  t.true(Math.abs(share(some, '2') - 0.1) < 0.01, `${share(some, '2')}`);
  for (const path of ['/dns/zones', '/dns/zones/a/b', '/dns/zones/', '/dns/axb', '/dns/gone'])
    t.is(share(await answers(gateway, path, times(20)), '1'), 1, path);
  t.is(share(await answers(gateway, '/dns/a.b', times(20)), '2'), 1);
});

test('plain mode says that it does none of this', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1', '2'], usual: ['1'] }, 'plain');
  const proxy: ProxySpec = { override: 'X-MCP-Version' };
  await declare(gateway, { dns: { proxy, weights: { '1': 100, '2': 0 } }, usual: { proxy: {}, weights: { '1': 1 } } });
  t.is((await gateway.ask('/dns/x', { 'x-mcp-version': '2' })).body, '1');
  const { alarm } = await eventually('told', async () => ((await gateway.status()).alarm ? gateway.status() : null));
  t.is(alarm, 'sticky, override, split and mirror need dynamic mode; here they do nothing for dns');
});

test('an instance of weight 0 that was asked for by name is not drained before its request has ended', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1'] });
  const released = Promise.withResolvers<void>();
  let arrived = false;
  const { port } = await startBackend(t, 'slow', {
    answer: (_, response) => {
      arrived = true;
      void released.promise.then(() => response.end('slow'));
    },
  });
  const slow = sampleRegistration('dns', '2', 9, { address: '127.0.0.1', port });
  await gateway.register(slow);
  await declare(gateway, { dns: { proxy: { override: 'X-Try' }, weights: { '1': 1, '2': 0 } } });
  const asked = gateway.ask('/dns/x', { 'x-try': '2' });
  await eventually('arrived', () => arrived);
  const mzxid = await gateway.register({ ...slow, record: { ...slow.record, state: 'draining' } });
  const word = await eventually('out of the routes', async () => {
    const said = await gateway.record();
    return said.served.asOf >= mzxid ? said : null;
  });
  t.true(word.drained.asOf < mzxid);
  t.is((await gateway.ask('/dns/x', { 'x-try': '2' })).status, 503, 'who leaves gets nothing new');
  released.resolve();
  t.is((await asked).body, 'slow');
  await eventually('drained', async () => (await gateway.record()).drained.asOf >= mzxid);
});

test('safe requests are mirrored without their callers noticing: other statuses, silence and death of the copy are only counted', async (t) => {
  const gateway = await gatewayWith(t, { dns: ['1'] });
  const seen: IncomingMessage[] = [];
  let hangs = false;
  const shadow = await startBackend(t, 'shadow', {
    answer: (request, response) => {
      seen.push(request);
      if (hangs) return;
      response.statusCode = request.url?.startsWith('/gone') ? 404 : 200;
      response.end('shadow');
    },
  });
  await gateway.register(sampleRegistration('dns', '2', 9, { address: '127.0.0.1', port: shadow.port }));
  await declare(gateway, { dns: { proxy: { mirror: { to: '2', weight: 100 } }, weights: { '1': 1, '2': 0 } } });
  const mirrored = async () => {
    const report = JSON.parse((await gateway.ask('/status/traffic.json')).body) as TrafficReport;
    return report.versions.find(({ version }) => version === '2')?.mirrored;
  };
  const told = (what: Partial<MirrorFigures>) =>
    eventually(JSON.stringify(what), async () => isMatch(await mirrored(), what), 30_000);

  const headers = { 'x-mcp-client': 'forged', 'x-tenant': 'a', 'x-request-id': 'id-1' };
  t.is((await gateway.ask('/dns/zones/a?b=c%2Fd', headers)).body, '1');
  for (let n = 0; n < 3; n += 1) t.is((await gateway.ask('/dns/gone')).body, '1');
  t.is((await fetch(`${gateway.url}/dns/zones`, { method: 'POST', body: 'x' })).status, 200);
  t.is((await fetch(`${gateway.url}/dns/zones`, { method: 'DELETE' })).status, 200);
  await told({ same: 1, differing: 3 });
  t.deepEqual([...new Set(seen.map(({ method }) => method))], ['GET']);
  t.is(seen[0]?.url, '/zones/a?b=c%2Fd');
  t.like(seen[0]?.headers, {
    'x-tenant': 'a',
    'x-request-id': 'id-1',
    'x-mcp-mirror': '1',
    'x-forwarded-prefix': '/dns',
  });
  t.is(seen[0]?.headers['x-mcp-client'], undefined);

  hangs = true;
  const many = await answers(
    gateway,
    '/dns/x',
    Array.from({ length: 200 }, () => ({})),
  );
  t.is(share(many, '1'), 1);
  await eventually('some are left out', async () => ((await mirrored())?.leftOut ?? 0) > 0, 30_000);
  await shadow.kill();
  t.is(
    share(
      await answers(
        gateway,
        '/dns/x',
        Array.from({ length: 50 }, () => ({})),
      ),
      '1',
    ),
    1,
  );
  await eventually('failed ones are counted', async () => ((await mirrored())?.failed ?? 0) > 0, 30_000);
  await eventually(
    'none is in flight',
    async () => (JSON.parse((await gateway.ask('/status/traffic.json')).body) as TrafficReport).inFlight.length === 0,
    30_000,
  );
  t.is(readFileSync(gatewayPaths(gateway.dir).errorLog, 'utf8').includes('lua entry thread aborted'), false);
});

test('of mirrored answers also the shape is compared with what the document says, packed ones too, and where one deviates is told without a value', async (t) => {
  const gateway = await testGateway(t);
  const documents = createDocumentStore({ clock: systemClock, stateDir: join(gateway.dir, 'documents') });
  t.teardown(() => documents.close());
  const document = smallDocument(['/zones/{id}', '/plain']);
  const zone = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } };
  const content = { 'application/json': { schema: { type: 'array', items: zone } } };
  const operation = objectAt(objectAt(objectAt(document, 'paths'), '/zones/{id}'), 'get');
  Object.assign(operation, { responses: { 200: { description: 'x', content } } });
  const large = JSON.stringify(Array.from({ length: 5000 }, () => ({ name: 'a'.repeat(20) })));
  const backend = (name: unknown) =>
    startBackend(t, 'one', {
      answer: (request, response) => {
        response.setHeader('content-type', request.url === '/plain' ? 'text/plain' : 'application/json');
        if (request.url === '/openapi.json') return response.end(JSON.stringify(document));
        if (request.url === '/zones/large') return response.end(large);
        const body = JSON.stringify([{ name: 'secret', also: 1 }, { name }]);
        if (request.url === '/zones/chunks') {
          for (const letter of body) response.write(letter);
          return response.end();
        }
        if (request.headers['accept-encoding'] !== 'gzip') return response.end(body);
        response.setHeader('content-encoding', 'gzip');
        response.end(gzipSync(body));
      },
    });
  for (const [version, name] of [
    ['1', 'secret'],
    ['2', 'other'],
    ['3', 7],
  ] as const) {
    const { port } = await backend(name);
    const place = { address: '127.0.0.1', port, document: '/openapi.json' };
    await gateway.register(sampleRegistration('dns', version, Number(version), place));
  }
  gateway.start({ mode: 'dynamic', documents });
  const mirrorTo = (to: string) =>
    declare(gateway, { dns: { proxy: { mirror: { to, weight: 100 } }, weights: { '1': 1, '2': 0, '3': 0 } } });
  await mirrorTo('2');
  await eventually(
    'the document is read',
    () => documents.current().sources.some(({ version, state }) => version === '1' && state === 'fresh'),
    40_000,
  );
  const mirrored = async (of: string) => {
    const report = JSON.parse((await gateway.ask('/status/traffic.json')).body) as TrafficReport;
    return report.versions.find(({ version }) => version === of)?.mirrored;
  };
  const asked: [path: string, headers?: Record<string, string>][] = [
    ['/dns/zones/a?x=1'],
    ['/dns/zones/chunks'],
    ['/dns/zones/a', { 'accept-encoding': 'gzip' }],
    ['/dns/zones/large'],
    ['/dns/plain'],
  ];
  let rounds = 0;
  await eventually(
    'three of five can be compared',
    async () => {
      rounds += 1;
      for (const [path, headers] of asked) t.is((await gateway.ask(path, headers)).status, 200);
      return ((await mirrored('2'))?.conforming ?? 0) >= 3 && rounds >= 3;
    },
    30_000,
  );
  const fine = await eventually('counted', () => mirrored('2'));
  t.is(fine.deviating, 0);
  t.true(fine.conforming <= 3 * rounds, 'neither text nor what is too large');
  await mirrorTo('3');
  await gateway.ask('/dns/zones/anna?token=x');
  const { example, deviating } = await eventually(
    'told',
    async () => {
      const found = await mirrored('3');
      return found?.example ? found : null;
    },
    30_000,
  );
  t.is(deviating, 1);
  t.like(example, {
    ...{ against: '1', operation: 'GET /zones/{id}', status: 200, basis: 'document' },
    ...{ where: '/1/name', expected: 'string', found: 'integer' },
  });
  const { body } = await gateway.ask('/status/traffic.json');
  t.false(/secret|anna|token/.test(body));
  const shown = /GET \/zones\/\{id\} 200, \/1\/name: integer, where 1 has string/;
  await eventually('shown', async () => shown.test((await gateway.ask('/status')).body), 30_000);
  t.false(readFileSync(gatewayPaths(gateway.dir).errorLog, 'utf8').includes('[error]'));
});

function isMatch(found: MirrorFigures | undefined, what: Partial<MirrorFigures>): boolean {
  return (
    found !== undefined && Object.entries(what).every(([key, value]) => found[key as keyof MirrorFigures] === value)
  );
}
