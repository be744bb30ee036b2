/**
 * What holds for every way of making nginx serve, on a real nginx. Run for plain mode and for dynamic mode, each in a file of
 * its own.
 */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { TestFn } from 'ava';
import { request } from 'undici';
import { stopNginx } from '../../proxy-daemon/main.ts';
import { findMaster, workersOf } from '../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { eventually } from '../helpers/eventually.ts';
import { fixedDocuments } from '../helpers/fixed-documents.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const onLoopback = (service: string, version: string, n: number, port: number) =>
  sampleRegistration(service, version, n, { address: '127.0.0.1', port });

/** What is answered to these bytes, until the gateway closes the connection. */
async function rawAnswer(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  let heard = '';
  for await (const text of socket.setEncoding('latin1')) heard += text;
  return heard;
}

export function gatewayBackendConformance(test: TestFn, mode: 'plain' | 'dynamic'): void {
  test('a registration becomes a route; the backend sees the path without the prefix, as it was sent', async (t) => {
    const gateway = await testGateway(t);
    const backend = await startBackend(t, 'one');
    gateway.start({ mode });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    await gateway.settled();
    const answer = await gateway.ask('/dns/zones/a%2Fb?x=%20y', { 'x-request-id': 'mine-1' });
    t.is(answer.status, 200);
    t.is(answer.headers['x-request-id'], 'mine-1');
    t.is(answer.headers['x-mcp-generation'], undefined);
    const seen = JSON.parse(answer.body);
    t.is(seen.url, '/zones/a%2Fb?x=%20y');
    t.like(seen.headers, { 'x-forwarded-prefix': '/dns', 'x-request-id': 'mine-1', 'x-forwarded-proto': 'http' });
    t.is(JSON.parse((await gateway.ask('/dns?y=1')).body).url, '/?y=1');
    t.is(JSON.parse((await gateway.ask('/dns')).body).url, '/');
  });

  test('the gateway answers in JSON, with its generation: no such route, no live instance, odd path, dead backend', async (t) => {
    const gateway = await testGateway(t);
    await gateway.declare(sampleEnvironment([sampleService('mail', [sampleVersion('1', 1)])]), 1);
    gateway.start({ mode });
    const backend = await startBackend(t, 'one');
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    await gateway.settled();
    await backend.kill();
    const codes = [];
    const services = [];
    for (const path of ['/nowhere', '/mail/x', '/dns/%2e%2e/x', '/dns/x']) {
      const { status, body, headers } = await gateway.ask(path);
      const generation = (await gateway.record()).served.generation;
      t.is(headers['x-mcp-generation'], String(generation), path);
      const { code, service } = JSON.parse(body).error;
      codes.push([status, code]);
      if (status > 500) services.push(service);
    }
    t.deepEqual(services, ['mail', 'dns'], 'who was asked for is named');
    t.deepEqual(codes, [
      [404, 'NO_SUCH_ROUTE'],
      [503, 'NO_LIVE_INSTANCE'],
      [400, 'BAD_REQUEST'],
      [502, 'BACKEND_UNREACHABLE'],
    ]);
    t.deepEqual(JSON.parse((await gateway.ask('/nowhere')).body).error.routes, ['/dns', '/mail']);
  });

  test('an instance can not send a request on inside the gateway: it has ended with its answer', async (t) => {
    const gateway = await testGateway(t);
    const { port } = await startBackend(t, 'one', {
      answer: (_, response) => response.setHeader('x-accel-redirect', '/dns/elsewhere').end('one'),
    });
    gateway.start({ mode });
    const one = onLoopback('dns', '1', 1, port);
    await gateway.register(one);
    await gateway.settled();
    const { status, body } = await gateway.ask('/dns/x');
    t.deepEqual([status, body], [200, 'one']);
    const mzxid = await gateway.register({ ...one, record: { ...one.record, state: 'draining' } });
    await eventually('drained', async () => (await gateway.record()).drained.asOf >= mzxid);
  });

  test('traffic is split exactly by the declared weights', async (t) => {
    const gateway = await testGateway(t);
    const versions = [sampleVersion('1', 2, 80), sampleVersion('2', 1, 20)];
    await gateway.declare(sampleEnvironment([sampleService('dns', versions)]), 1);
    const backends = await Promise.all(['1', '1', '2'].map((version) => startBackend(t, version)));
    gateway.start({ mode });
    for (const [index, { port }] of backends.entries()) {
      await gateway.register(onLoopback('dns', index < 2 ? '1' : '2', index + 1, port));
    }
    await gateway.settled();
    const counts = new Map<string, number>();
    for (let n = 0; n < 200; n += 1) {
      const { name } = JSON.parse((await gateway.ask('/dns/x')).body);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    // Each worker takes turns of its own, so a few may be off at the ends.
    t.true(Math.abs((counts.get('2') ?? 0) - 40) <= 8, JSON.stringify([...counts]));
  });

  test('once a generation is acknowledged, no older one answers any more', async (t) => {
    const gateway = await testGateway(t);
    const backend = await startBackend(t, 'one');
    gateway.start({ mode });
    await gateway.settled();
    for (let n = 1; n <= 4; n += 1) {
      const mzxid = await gateway.register(onLoopback(`service-${n}`, '1', n, backend.port));
      const { served } = await eventually('acknowledged', async () => {
        const said = await gateway.record();
        return said.served.asOf >= mzxid ? said : null;
      });
      const answers = await Promise.all(Array.from({ length: 40 }, () => gateway.ask('/healthz')));
      for (const { headers } of answers) t.true(Number(headers['x-mcp-generation']) >= served.generation);
    }
  });

  test('a draining instance gets no new request once acknowledged, and is drained when its last one has ended', async (t) => {
    const gateway = await testGateway(t);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = await startBackend(t, 'slow', {
      answer: (request, response) => {
        if (request.url === '/slow') void held.then(() => response.end('slow'));
        else response.end('slow');
      },
    });
    const other = await startBackend(t, 'other', { answer: (_, response) => response.end('other') });
    gateway.start({ mode });
    await gateway.register(onLoopback('dns', '1', 1, slow.port));
    await gateway.settled();
    const inFlight = gateway.ask('/dns/slow');
    await eventually(
      'the slow request arrived',
      () => new Promise<boolean>((resolve) => slow.server.getConnections((_, n) => resolve(n > 0))),
    );
    await gateway.register(onLoopback('dns', '1', 2, other.port));
    const draining = onLoopback('dns', '1', 1, slow.port);
    const mzxid = await gateway.register({ ...draining, record: { ...draining.record, state: 'draining' } });
    const word = await eventually('served', async () => {
      const said = await gateway.record();
      return said.served.asOf >= mzxid ? said : null;
    });
    t.true(word.drained.asOf < mzxid, 'not drained while a request is in flight');
    for (let n = 0; n < 10; n += 1) t.is((await gateway.ask('/dns/x')).body, 'other');
    t.true((await gateway.record()).drained.asOf < mzxid);
    release();
    t.is((await inFlight).body, 'slow');
    await eventually('drained', async () => (await gateway.record()).drained.asOf >= mzxid);
  });

  test('an empty registry keeps the routes; dead instances are dropped by probing, answering ones stay', async (t) => {
    const gateway = await testGateway(t);
    const alive = await startBackend(t, 'alive');
    const dying = await startBackend(t, 'dying');
    gateway.start({ mode });
    const registrations = [onLoopback('dns', '1', 1, alive.port), onLoopback('dns', '1', 2, dying.port)];
    for (const one of registrations) await gateway.register(one);
    await gateway.settled();
    await dying.kill();
    for (const { path } of registrations) await gateway.client.delete(path);
    const word = await eventually('held', async () => {
      const said = await gateway.record();
      return said.holding !== '' && said.instances === 1 ? said : null;
    });
    t.regex(word.holding, /dns: 2 of 2 instances vanished/);
    for (let n = 0; n < 5; n += 1) t.is(JSON.parse((await gateway.ask('/dns/x')).body).name, 'alive');
    for (const one of registrations.slice(0, 1)) await gateway.register(one);
    await eventually('lifted', async () => (await gateway.record()).holding === '');
  });

  test('the registry down: traffic goes on, also through a restart of the daemon; then it converges', async (t) => {
    const gateway = await testGateway(t);
    const backend = await startBackend(t, 'one');
    gateway.start({ mode });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    const before = await gateway.settled();
    gateway.registry.stop();
    t.is((await gateway.ask('/dns/x')).status, 200);
    await gateway.end();
    t.is((await gateway.ask('/dns/x')).status, 200);
    gateway.start({ mode });
    const status = await eventually('status of the new daemon', async () => {
      const said = await gateway.status();
      return said.startedAt > before.at ? said : null;
    });
    t.false(status.registry.connected);
    t.like(status.served, { generation: before.served.generation });
    t.is((await gateway.ask('/dns/x')).status, 200);
    gateway.registry.start();
    const after = await eventually('acknowledged again', () => gateway.record().catch(() => null));
    t.is(after.served.generation, before.served.generation, 'nothing changed, so nothing was reloaded');
    gateway.registry.stop();
    await gateway.end();
    await stopNginx(gateway.dir, systemClock, 500);
    gateway.start({ mode });
    await eventually(
      'a cold start serves',
      async () => (await gateway.ask('/dns/x').catch(() => null))?.status === 200,
    );
  });

  test('dot segments and encoded routes are refused: nginx would match one path and the backend see another', async (t) => {
    const gateway = await testGateway(t);
    const backend = await startBackend(t, 'one');
    gateway.start({ mode });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    await gateway.settled();
    for (const path of ['/%64ns/x', '/x/../dns/y', '/dns/%2e%2E/x', '/dns/.', '/dns/a/..?q', '/dns%2f..%2fx']) {
      t.is((await gateway.ask(path)).status, 400, path);
    }
    // What nginx itself can't read has no path at all.
    for (const line of [
      'GET /../x HTTP/1.1',
      'GET /dns/%zz HTTP/1.1',
      'GET /dns/../../x HTTP/1.1',
      'G=T /dns/x HTTP/1.1',
    ]) {
      const answer = await rawAnswer(gateway.port, `${line}\r\nhost: x\r\nconnection: close\r\n\r\n`);
      t.regex(answer, /^HTTP\/1\.1 400 .*\r\n\r\n\{"error":\{"code":"BAD_REQUEST"/s, line);
    }
    for (const path of ['/dns/a..b', '/dns/...', '/dns/x?a=/../b', '/dns//x']) {
      t.is((await gateway.ask(path)).status, 200, path);
    }
  });

  test('connections to instances are used again, but never after 4 s: many servers close theirs after 5', async (t) => {
    const gateway = await testGateway(t);
    const places: (number | undefined)[] = [];
    const backend = await startBackend(t, 'one', {
      answer: (request, response) => {
        places.push(request.socket.remotePort);
        response.end();
      },
    });
    // So that it is nginx that closes them.
    backend.server.keepAliveTimeout = 60_000;
    gateway.start({ mode, workers: 1 });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    await gateway.settled();
    const open = () => new Promise<number>((resolve) => backend.server.getConnections((_, count) => resolve(count)));
    const ask = async () => t.is((await gateway.ask('/dns/x')).status, 200);
    await ask();
    await ask();
    t.is(places[0], places[1], 'used again');
    // The usual is 60 s; a clock here would be off on a busy machine.
    t.regex(
      readFileSync(gatewayPaths(gateway.dir).config, 'utf8'),
      /upstream mcp_\S+ \{\n(?: {4}.*\n)* {4}keepalive_timeout 4s;/,
    );
    await eventually('closed', async () => (await open()) === 0);
    await ask();
    t.not(places[2], places[1]);
  });

  test('a request without a sound id gets one of its own, the same for its client and its instance', async (t) => {
    const gateway = await testGateway(t);
    const seen: (string | string[] | undefined)[] = [];
    const backend = await startBackend(t, 'one', {
      answer: (request, response) => {
        seen.push(request.headers['x-request-id']);
        response.end();
      },
    });
    gateway.start({ mode, workers: 2 });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    await gateway.settled();
    const told: (string | string[] | undefined)[] = [];
    for (let n = 0; n < 200; n += 1) {
      const answer = await gateway.ask('/dns/x', n % 10 === 0 ? { 'x-request-id': 'not sound' } : {});
      told.push(answer.headers['x-request-id']);
    }
    t.deepEqual(told, seen);
    t.is(new Set(told).size, 200);
    for (const id of told) t.regex(String(id), /^[0-9a-f]{32}$/);
    // What no instance answers has one too.
    const missing = await gateway.ask('/none');
    t.regex(String(missing.headers['x-request-id']), /^[0-9a-f]{32}$/);
  });

  test('nginx killed: back with the last good configuration, workers that lost their master included', async (t) => {
    const gateway = await testGateway(t);
    const backend = await startBackend(t, 'one');
    gateway.start({ mode });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    await gateway.settled();
    const master = findMaster(gatewayPaths(gateway.dir)) ?? 0;
    process.kill(master, 'SIGKILL');
    await eventually('a new master', () => (findMaster(gatewayPaths(gateway.dir)) ?? master) !== master);
    await eventually('it serves', async () => (await gateway.ask('/dns/x').catch(() => null))?.status === 200);
    const again = findMaster(gatewayPaths(gateway.dir)) ?? 0;
    await eventually('revival told', async () => (await gateway.status()).revivals === 1);
    for (const { pid } of workersOf(again)) process.kill(pid, 'SIGKILL');
    await eventually('new workers', async () => (await gateway.ask('/dns/x').catch(() => null))?.status === 200);
    t.is((await gateway.status()).problem, '');
  });

  test('routes and document carry one generation, and a restarted daemon keeps the document until it has a new one', async (t) => {
    const gateway = await testGateway(t);
    const backend = await startBackend(t, 'one');
    const documents = fixedDocuments('first');
    gateway.start({ mode, documents: documents.source });
    await gateway.register(onLoopback('dns', '1', 1, backend.port));
    const { served } = await gateway.settled();
    const json = await gateway.ask('/openapi.json');
    t.is(json.headers['x-mcp-generation'], String(served.generation));
    t.deepEqual(JSON.parse(json.body), { 'x-mcp-generation': served.generation, title: 'first' });
    t.is((await gateway.ask('/openapi.yaml')).body, `x-mcp-generation: ${served.generation}\ntitle: first\n`);
    documents.set('second');
    await eventually('second', async () => JSON.parse((await gateway.ask('/openapi.json')).body).title === 'second');
    await gateway.end();
    gateway.start({ mode, documents: fixedDocuments('').source });
    await gateway.settled();
    t.is(JSON.parse((await gateway.ask('/openapi.json')).body).title, 'second');
  });

  test('the merged document is answered alike: packed or plain, whole, as a head, or not at all where it is known', async (t) => {
    const gateway = await testGateway(t);
    const { source } = fixedDocuments('first', { text: 'much '.repeat(100_000) });
    gateway.start({ mode, documents: source });
    const { served } = await gateway.settled();
    const get = async (path: string, more: Parameters<typeof request>[1] = {}) => {
      const { statusCode, headers, body } = await request(gateway.url + path, { reset: true, ...more });
      return { status: statusCode, headers, bytes: Buffer.from(await body.arrayBuffer()) };
    };
    for (const [path, type] of [
      ['/openapi.json', 'application/json'],
      ['/openapi.yaml', 'application/yaml; charset=utf-8'],
    ] as const) {
      const plain = await get(path);
      const tags = new Set();
      for (const [accept, encoding] of [
        ['br, GZIP;q=0.5', 'gzip'],
        ['gzip;q=0, br', undefined],
        ['x-gzip', undefined],
      ] as const) {
        const headers = { 'accept-encoding': accept };
        const whole = await get(path, { headers });
        t.deepEqual(encoding === 'gzip' ? gunzipSync(whole.bytes) : whole.bytes, plain.bytes, accept);
        const { etag = '', 'last-modified': modified = '', 'x-request-id': id, ...told } = whole.headers;
        t.truthy(id);
        const { date, server, connection, 'accept-ranges': ranges, ...rest } = told;
        // Dynamic mode joins pieces, and must not claim what it does not do.
        t.is(ranges, mode === 'plain' && encoding === undefined ? 'bytes' : undefined);
        t.deepEqual(
          { ...rest },
          {
            ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
            'content-type': type,
            'content-length': String(whole.bytes.length),
            vary: 'Accept-Encoding',
            'cache-control': 'no-cache',
            'access-control-allow-origin': '*',
            'access-control-expose-headers': 'ETag',
            'x-content-type-options': 'nosniff',
            'x-mcp-generation': String(served.generation),
          },
        );
        tags.add(etag);
        const head = await get(path, { headers, method: 'HEAD' });
        t.deepEqual([head.status, head.bytes.length, head.headers.etag], [200, 0, etag]);
        t.is(head.headers['content-length'], String(whole.bytes.length));
        for (const [condition, status] of [
          [{ 'if-none-match': etag }, 304],
          [{ 'if-none-match': `"other", W/${etag}` }, 304],
          [{ 'if-none-match': '"other"' }, 200],
          [{ 'if-modified-since': modified }, 304],
          [{ 'if-match': '"other"' }, 412],
        ] as const) {
          const again = await get(path, { headers: { ...headers, ...condition } as Record<string, string> });
          t.is(again.status, status, JSON.stringify(condition));
          if (status === 304) t.deepEqual([again.bytes.length, again.headers.etag], [0, etag]);
        }
      }
      t.is(tags.size, 2, 'two forms are two entities');
      t.is((await get(path, { method: 'POST', body: 'x' })).status, 405);
    }
    t.is((await get('/docs/services.json')).status, 404, 'this source writes none');
  });
}
