import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { publishDesired } from '../../registrar/recipes/desired-document.ts';
import { release } from '../../registrar/recipes/releases.ts';
import { eventually } from '../helpers/eventually.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const onLoopback = (service: string, version: string, n: number, port: number) =>
  sampleRegistration(service, version, n, { address: '127.0.0.1', port });

test('an environment that is not valid is not believed: the one before it stays, and the reason is told', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  await gateway.declare(sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)], { route: '/names' })]), 1);
  gateway.start();
  await gateway.register(onLoopback('dns', '1', 1, backend.port));
  await gateway.settled();
  await gateway.client.set('/desired', '{"generation":2');
  const status = await eventually('told', async () => {
    const said = await gateway.status();
    return said.registry.reason === '' ? null : said;
  });
  t.regex(status.registry.reason, /\/desired can't be read/);
  t.is((await gateway.ask('/names/x')).status, 200);
  await gateway.declare(sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)], { route: '/other' })]), 3);
  await eventually('believed again', async () => (await gateway.ask('/other/x')).status === 200);
});

test('an environment damaged while the daemon was down: its last good copy is routed by, and registrations are followed', async (t) => {
  const gateway = await testGateway(t);
  const [one, two] = [await startBackend(t, 'one'), await startBackend(t, 'two')];
  const service = sampleService('dns', [sampleVersion('1', 2)], { route: '/names' });
  const record = await publishDesired(gateway.client, {
    environment: sampleEnvironment([service]),
    author: 'test',
    reason: '',
    allowance: {},
    at: 1,
  });
  t.is(record.generation, 1);
  gateway.start();
  await gateway.register(onLoopback('dns', '1', 1, one.port));
  await gateway.settled();
  await gateway.end();
  await gateway.client.set('/desired', 'nonsense');
  await gateway.register(onLoopback('dns', '1', 2, two.port));
  gateway.start();
  const answers = new Set<string>();
  await eventually('both answer', async () => answers.add((await gateway.ask('/names/x')).body).size === 2);
  const isTold = async () => /\/desired can't be read/.test((await gateway.status()).registry.reason);
  t.true(await eventually('told', isTold));
});

test('a wiped registry: what is served stays, through a restart of the daemon too', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  await gateway.declare(sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)], { route: '/names' })]), 1);
  gateway.start();
  await gateway.register(onLoopback('dns', '1', 1, backend.port));
  await gateway.settled();
  const wipe = async (path: string): Promise<void> => {
    for (const name of (await gateway.client.children(path)).children) await wipe(`${path}/${name}`);
    await gateway.client.delete(path);
  };
  await gateway.client.delete('/desired');
  await wipe('/services/dns');
  await eventually('told', async () => (await gateway.status()).problem.includes('wiped'));
  t.is((await gateway.ask('/names/x')).status, 200);
  await wipe('/services');
  await wipe('/history');
  await gateway.end();
  gateway.start();
  await eventually('told again', async () => (await gateway.status()).registry.reason !== 'not connected yet');
  t.is((await gateway.ask('/names/x')).status, 200);
});

test('instances held in a mass loss are let go of by an operator', async (t) => {
  const gateway = await testGateway(t);
  const backends = [await startBackend(t, 'one'), await startBackend(t, 'two')];
  gateway.start();
  const registrations = backends.map(({ port }, n) => onLoopback('dns', '1', n, port));
  for (const one of registrations) await gateway.register(one);
  await gateway.settled();
  for (const { path } of registrations) await gateway.client.delete(path);
  await eventually('held', async () => (await gateway.record()).holding !== '');
  t.is((await gateway.ask('/dns/x')).status, 200);
  await release(gateway.client, { service: 'dns', reason: 'they are gone for good', by: 'operator:ann', at: 1 });
  await eventually('let go', async () => (await gateway.record()).holding === '');
  t.true((await gateway.ask('/dns/x')).status > 400);
  await gateway.register(registrations[0] as (typeof registrations)[0]);
  await eventually('back', async () => (await gateway.ask('/dns/x')).status === 200);
});

test('a gateway whose nginx cannot start says so in the registry', async (t) => {
  const gateway = await testGateway(t);
  await startBackend(t, 'squatter', { port: gateway.port });
  gateway.start();
  await gateway.register(onLoopback('dns', '1', 1, 1));
  const said = await eventually('registered', () => gateway.record().catch(() => null));
  t.regex(said.holding, /Address already in use/);
  t.is(said.served.asOf, 0);
});

test('plain mode: a configuration that nginx refuses, or a disk that takes none, leaves the last good one, and is told', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  gateway.start({ mode: 'plain' });
  await gateway.register(onLoopback('dns', '1', 1, backend.port));
  const before = await gateway.settled();
  const paths = gatewayPaths(gateway.dir);
  const good = readFileSync(paths.config, 'utf8');
  // A directory where the next generation's files belong: writing them fails as on a full disk.
  writeFileSync(paths.generation(before.served.generation + 1).dir, '');
  await gateway.register(onLoopback('mail', '1', 2, backend.port));
  const status = await eventually('told', async () => {
    const said = await gateway.status();
    return said.problem !== '' ? said : null;
  });
  t.regex(status.problem, /can't be written/);
  t.is(readFileSync(paths.config, 'utf8'), good);
  t.is((await gateway.ask('/dns/x')).status, 200);
  t.is((await gateway.ask('/mail/x')).status, 404);
  t.is((await gateway.record()).served.generation, before.served.generation);
});

test('plain mode: a storm of changes: the first goes out at once, the others share one reload an interval, old files go', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  const interval = 400;
  gateway.start({ mode: 'plain', minReloadIntervalMs: interval });
  await gateway.settled();
  const first = (await gateway.record()).served.generation;
  const began = performance.now();
  for (let n = 1; n <= 60; n += 1)
    await gateway.register(onLoopback(`service-${n % 20}`, '1', n, backend.port + (n >> 4)));
  const last = (await gateway.settled()).served.generation;
  const most = 2 + Math.ceil((performance.now() - began) / interval);
  t.true(last - first <= most, `${last - first} reloads, at most ${most}`);
  await eventually(
    'old generations are removed',
    async () => readdirSync(gatewayPaths(gateway.dir).generations).length <= 3,
  );
});

test('pages: docs and status with their files, locally; redirects keep to the gateway', async (t) => {
  const gateway = await testGateway(t);
  gateway.start();
  await gateway.settled();
  const docs = await gateway.ask('/docs');
  t.deepEqual([docs.status, docs.headers.location], [308, '/docs/']);
  for (const path of [
    '/docs/',
    '/docs/docs.js',
    '/docs/swagger-ui-bundle.js',
    '/status',
    '/status/status.js',
    '/healthz',
  ]) {
    const { status, body } = await gateway.ask(path);
    t.is(status, 200, path);
    t.notRegex(body.slice(0, 3000), /(?:src|href)="https?:/);
  }
  t.regex((await gateway.ask('/status')).headers['content-type'] ?? '', /^text\/html/);
  t.true(existsSync(join(gateway.dir, 'www', 'docs', 'index.html')));
});
