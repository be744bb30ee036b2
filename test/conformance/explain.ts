/** What /status/explain says must be what nginx does, in both modes on a real nginx. */
import { createHash, randomBytes } from 'node:crypto';
import type { TestFn } from 'ava';
import type { Explanation } from '../../proxy-daemon/routes/explain/explanation.ts';
import { ask } from '../helpers/ask.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const sha256 = createHash('sha256').update(randomBytes(32)).digest('hex');
const apiKeys = { header: 'X-Key', clients: [{ name: 'shop-of-anna', sha256 }] };
const paths = [
  ...[
    '/dns',
    '/dns/',
    '/dns/zones',
    '/dns/zones?x=1',
    '/dns?x',
    '/dnsx',
    '/DNS/zones',
    '/Dns',
    '/d%6es/zones',
    '/dns%2Fzones',
  ],
  ...['/dns//zones', '//dns/zones', '/dns/inner', '/dns/inner/x', '/dns/innermost', '/dns/%69nner/x', '/dns/inner%2Fx'],
  ...[
    '/dns/../status',
    '/dns/./x',
    '/dns/%2e%2e/x',
    '/dns/..',
    '/dns/...',
    '/dns/..x',
    '/../dns',
    '/dns/%zz',
    '/dns/%00',
  ],
  ...['/dns/a%2Fb', '/mail', '/mail/x', '/keys/x', '/', '/nowhere', '/healthz', '/healthz/x', '/%68ealthz', '/statusx'],
  ...[
    '/status.json',
    '/openapi.json',
    '/openapi.jsonx',
    '/_mcp/not-found',
    '/_mcp/door/keys',
    '/_mcp/other',
    '/dns/%3Fx',
    '/dns/ä',
  ],
];

export function explainConformance(test: TestFn, mode: 'plain' | 'dynamic'): void {
  test('an explanation says where a request would go, and there it goes', async (t) => {
    const gateway = await testGateway(t);
    const services = [
      sampleService('dns', [sampleVersion('1', 1, 100), sampleVersion('2', 1, 0)]),
      sampleService('inner', [sampleVersion('1', 1)], { route: '/dns/inner' }),
      sampleService('mail', [sampleVersion('1', 1)]),
      sampleService('keys', [sampleVersion('1', 1)], { access: { apiKeys } }),
    ];
    await gateway.declare(sampleEnvironment(services), 7);
    gateway.start({ mode });
    const register = async (service: string, version: string, n: number) => {
      const { port } = await startBackend(t, service);
      await gateway.register(sampleRegistration(service, version, n, { address: '127.0.0.1', port }));
    };
    await register('dns', '1', 1);
    await register('dns', '2', 2);
    await register('inner', '1', 3);
    await register('keys', '1', 4);
    await gateway.register(sampleRegistration('dns', '1', 5, { address: '127.0.0.1', port: 0 }));
    await gateway.settled();

    const explain = async (path: string): Promise<Explanation> => {
      const { body } = await gateway.ask(`/status/explain?path=${encodeURIComponent(path)}`);
      return JSON.parse(body);
    };
    for (const path of paths.filter((one) => /^[!-~]+$/.test(one))) {
      const { outcome, route, instances, path: read } = await explain(path);
      const { status, body } = await gateway.ask(path);
      const real = `${path}: really ${status}, explained ${JSON.stringify(outcome)}`;
      // What nginx can't even read it answers by itself.
      if (read === null) t.true(outcome.kind === 'refused' && [400, 500].includes(status), real);
      else if (outcome.kind === 'refused') t.is(status, outcome.status ?? 0, real);
      else if (outcome.kind === 'gateway') t.is(status, 200, real);
      else if (route?.service === 'keys') t.is(status, 401, real);
      else {
        t.like(JSON.parse(body), { name: route?.service, url: route?.rest }, real);
        t.true(instances.some(({ chance }) => chance === 'yes'));
      }
    }

    const told = await explain('/dns/zones');
    t.like(told, { mode, method: 'GET', path: '/dns/zones', environment: { name: 'sample', generation: 7 } });
    t.is(told.generation, (await gateway.status()).served.generation);
    t.deepEqual(
      told.instances.map(({ machine, chance, why }) => [machine, chance, /no share/.test(why)]),
      [
        ['machine-0001', 'yes', false],
        ['machine-0002', 'no', true],
      ],
    );
    t.is(told.versions[1]?.why, 'its weight is 0');
    t.regex(told.leftOut[0]?.reason ?? '', /port/);
    t.regex(told.passedOver[0]?.why ?? '', /not below \/dns\/inner/);
    t.is(told.tries?.most, 3);

    const { body: guarded } = await gateway.ask('/status/explain?path=/keys/x');
    for (const secret of ['shop-of-anna', sha256]) t.false(guarded.includes(secret));
  });

  test('which versions may answer, by name, by operation and by weight, is what nginx then does', async (t) => {
    const gateway = await testGateway(t);
    const split = [
      { method: 'GET', path: '/half/{id}', to: '2', weight: 50 },
      { method: 'GET', path: '/all', to: '2', weight: 100 },
      { method: 'GET', path: '/gone', to: '9', weight: 100 },
    ];
    const versions = [sampleVersion('1', 1, 100), sampleVersion('2', 1, 0), sampleVersion('3', 1, 0)];
    const proxy = { override: 'X-Try', split };
    await gateway.declare(sampleEnvironment([sampleService('dns', versions, { proxy })]), 1);
    gateway.start({ mode });
    for (const version of ['1', '2', '3']) {
      const { port } = await startBackend(t, version);
      await gateway.register(sampleRegistration('dns', version, Number(version), { address: '127.0.0.1', port }));
    }
    await gateway.settled();
    const asked: [path: string, wish?: string][] = [
      ...['/dns/x', '/dns/half', '/dns/half/a?b=/c', '/dns/half/a/b', '/dns/all', '/dns/gone'].map((path): [string] => [
        path,
      ]),
      ['/dns/x', '3'],
      ['/dns/all', '1'],
      ['/dns/half/a', '4'],
    ];
    for (const [path, wish] of asked) {
      const header = wish === undefined ? '' : `&header=${encodeURIComponent(`X-Try: ${wish}`)}`;
      const question = `/status/explain?path=${encodeURIComponent(path)}${header}`;
      const { outcome, instances, notes } = JSON.parse((await gateway.ask(question)).body) as Explanation;
      const answers = await Promise.all(
        Array.from({ length: 24 }, () => gateway.ask(path, wish === undefined ? {} : { 'x-try': wish })),
      );
      const seen = new Set(answers.map(({ status, body }) => (status === 200 ? JSON.parse(body).name : status)));
      const said =
        outcome.kind === 'refused'
          ? [outcome.status]
          : instances.filter(({ chance }) => chance === 'yes').map(({ version }) => version);
      t.deepEqual([...seen].sort(), [...said].sort(), `${path} ${wish ?? ''}`);
      if (mode === 'plain') t.true(notes.some((note) => /does not follow .* choice of version/.test(note)));
    }
  });

  test('a question that is none is told what is wrong with it; without its daemon the gateway says so', async (t) => {
    const gateway = await testGateway(t);
    gateway.start({ mode });
    await gateway.settled();
    const wrong: [query: string, message: RegExp][] = [
      ['', /no path/],
      ['path=dns', /slash/],
      ['path=/a%20b', /percent-encode/],
      ['path=/a&methd=GET', /"methd", did you mean "method"\?/],
      ['path=/a&method=get', /"get" is none of .*did you mean "GET"/],
      ['path=/a&path=/b', /more than once/],
      ['path=/a&header=nonsense', /Name: value/],
      ['path=/a&header=Authorization:%20Basic%20x', /credentials/],
      [`path=/${'a'.repeat(5000)}`, /longer/],
      ['path=/a&header=x%3A%0d%0ay', /Name: value/],
    ];
    for (const [query, message] of wrong) {
      const { status, body, headers } = await gateway.ask(`/status/explain?${query}`);
      const { error } = JSON.parse(body);
      t.is(status, 400, query);
      t.is(error.code, 'EXPLAIN_QUESTION');
      t.regex(error.message, message);
      t.is(headers['x-content-type-options'], 'nosniff');
    }
    await gateway.end();
    const { status, body } = await ask(`${gateway.url}/status/explain?path=/x`);
    t.deepEqual([status, JSON.parse(body).error.code], [503, 'DAEMON_SILENT']);
  });
}
