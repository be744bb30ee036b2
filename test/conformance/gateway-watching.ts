/** What the gateway lets its operators see, in both modes: the log of requests, and metrics. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { TestFn } from 'ava';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { ask } from '../helpers/ask.ts';
import { eventually } from '../helpers/eventually.ts';
import { freePort } from '../helpers/free-port.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { parseMetrics } from '../helpers/parse-metrics.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const apiKeys = { header: 'X-Key', clients: [{ name: 'shop', sha256: 'a'.repeat(64) }] };

export function gatewayWatchingConformance(test: TestFn, mode: 'plain' | 'dynamic'): void {
  test('requests are logged as JSON without their secrets, within bounds on disk; metrics are where they are declared', async (t) => {
    const gateway = await testGateway(t);
    const port = await freePort();
    const environment = sampleEnvironment([
      sampleService('dns', [sampleVersion('1.0', 1)], { limits: { bodyBytes: 1000 } }),
      sampleService('mail', [sampleVersion('2.0', 1)]),
      sampleService('idle', [sampleVersion('1.0', 1)]),
      sampleService('keys', [sampleVersion('1.0', 1)], { access: { apiKeys } }),
      sampleService('slow', [sampleVersion('1.0', 1)], { limits: { rate: { requests: 1, per: 'm', burst: 0 } } }),
    ]);
    const watched = { accessLog: { bytes: 20_000, keep: 2 }, metrics: { address: '127.0.0.1', port } };
    await gateway.declare({ ...environment, gateway: { ...environment.gateway, ...watched } }, 1);
    const backend = await startBackend(t, 'one', {
      answer: (request, response) => {
        response.statusCode = request.url === '/missing' ? 404 : 200;
        response.end('x');
      },
    });
    gateway.start({ mode });
    await gateway.register(sampleRegistration('dns', '1.0', 1, { address: '127.0.0.1', port: backend.port }));
    await gateway.register(sampleRegistration('mail', '2.0', 2, { address: '127.0.0.1', port: backend.port }));
    for (const [index, name] of ['keys', 'slow'].entries()) {
      const place = { address: '127.0.0.1', port: backend.port };
      await gateway.register(sampleRegistration(name, '1.0', 3 + index, place));
    }
    await gateway.settled();

    const secrets = {
      authorization: 'Basic s3cret',
      cookie: 'id=s3cret',
      'x-api-key': 's3cret',
      referer: '/?k=s3cret',
    };
    await gateway.ask('/dns/a"b%2F\\?key=s3cret', { ...secrets, 'x-request-id': 'mine-1' });
    await gateway.ask('/mail/missing', { ...secrets, 'x-request-id': 'not sound; s3cret' });
    await gateway.ask('/nowhere?s3cret', secrets);
    const path = gatewayPaths(gateway.dir).accessLog;
    const linesOf = (file: string) => readFileSync(file, 'utf8').split('\n').filter(Boolean);
    const lines = await eventually('three lines', () => {
      const all = linesOf(path).filter((line) => !line.includes('/healthz'));
      return all.length === 3 ? all : null;
    });
    const entries = lines.map((line) => JSON.parse(line)).sort((a, b) => (a.path < b.path ? -1 : 1));
    const instance = `127.0.0.1:${backend.port}`;
    t.like(entries[0], {
      path: '/dns/a"b%2F\\',
      id: 'mine-1',
      method: 'GET',
      service: 'dns',
      version: '1.0',
      instance,
      status: 200,
    });
    t.like(entries[1], { path: '/mail/missing', service: 'mail', version: '2.0', status: 404, retries: 0, client: '' });
    t.like(entries[2], {
      path: '/nowhere',
      service: '',
      version: '',
      instance: '',
      status: 404,
      upstreamSeconds: null,
    });
    t.true(
      entries[0].bytes > 0 && typeof entries[0].seconds === 'number' && typeof entries[0].upstreamSeconds === 'number',
    );
    t.regex(entries[1].id, /^[0-9a-f]{32}$/);
    t.false(lines.join().includes('s3cret'));

    const folder = dirname(path);
    await eventually('the log is put aside', async () => {
      await Promise.all(Array.from({ length: 50 }, () => gateway.ask('/dns/filling')));
      return readdirSync(folder).includes('access.log.2');
    });
    // What is asked before nginx was told still goes to the old one.
    await eventually('nginx writes to the new one', async () => {
      await gateway.ask('/dns/last');
      return linesOf(path).some((line) => line.includes('/dns/last'));
    });
    t.deepEqual(
      readdirSync(folder)
        .filter((name) => name.startsWith('access'))
        .sort(),
      ['access.log', 'access.log.1', 'access.log.2'],
    );
    t.true(statSync(`${path}.2`).size < 1_000_000);

    const read = async () => parseMetrics((await ask(`http://127.0.0.1:${port}/metrics`)).body);
    const value = (samples: Awaited<ReturnType<typeof read>>, name: string, labels: Record<string, string> = {}) =>
      samples.find(
        (one) =>
          one.name === `mcp_gateway_${name}` && Object.entries(labels).every(([key, of]) => one.labels[key] === of),
      )?.value;
    const samples = await eventually('metrics', async () => {
      const all = await read();
      const isCounted =
        value(all, 'requests_total', { service: 'mail', class: '4xx' }) === 1 &&
        (value(all, 'request_duration_seconds_count', { service: 'dns' }) ?? 0) > 50;
      return mode === 'plain' || isCounted ? all : null;
    });
    t.deepEqual([value(samples, 'routes'), value(samples, 'instances', { state: 'routed' })], [5, 4]);
    t.is(value(samples, 'generation'), (await gateway.record()).served.generation);
    t.is(value(samples, 'info', { mode }), 1);
    t.true((value(samples, 'reloads_total') ?? -1) >= 0);
    if (mode === 'plain') t.is(value(samples, 'requests_total'), undefined, 'absent is not zero');
    else {
      t.true((value(samples, 'table_free_bytes', { table: 'mcp_routes' }) ?? 0) > 0);
      for (const path of ['/nowhere/x', '/keys/x', '/keys/y', '/idle/x', '/slow/x', '/slow/x', '/mail/missing'])
        await gateway.ask(path);
      await fetch(`${gateway.url}/dns/x`, { method: 'POST', body: 'x'.repeat(2000) });
      const refused = await eventually('refusals are counted', async () => {
        const own = (await read()).filter(({ name }) => name === 'mcp_gateway_own_answers_total');
        return own.length >= 5 ? own.map(({ labels, value: n }) => [labels.service, labels.status, n]) : null;
      });
      t.deepEqual(refused.sort(), [
        ['', '404', 2],
        ['dns', '413', 1],
        ['idle', '503', 1],
        ['keys', '401', 2],
        ['slow', '429', 1],
      ]);
    }
    t.is((await ask(`http://127.0.0.1:${port}/`)).status, 404);
    t.is((await gateway.ask('/metrics')).status, 404, 'not where services are');
    await gateway.end();
    await t.throwsAsync(ask(`http://127.0.0.1:${port}/metrics`));
  });
}
