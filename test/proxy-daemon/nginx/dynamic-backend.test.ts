import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { findMaster, workersOf } from '../../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import type { TrafficReport } from '../../../proxy-daemon/version-figures.ts';
import type { ProxySpec } from '../../../specs/nouns.ts';
import { startBackendProcess } from '../../helpers/backend-process.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freePort } from '../../helpers/free-port.ts';
import { type TestGateway, testGateway } from '../../helpers/gateway.ts';
import { startBackend } from '../../helpers/http-backend.ts';
import { startLoad } from '../../helpers/load.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

const onLoopback = (service: string, version: string, n: number, port: number) =>
  sampleRegistration(service, version, n, { address: '127.0.0.1', port });

/** A gateway in dynamic mode whose service `dns` is declared with these settings. */
async function declaredGateway(t: Parameters<typeof testGateway>[0], proxy: ProxySpec, drainTimeoutMs = 10_000) {
  const gateway = await testGateway(t);
  const service = sampleService('dns', [sampleVersion('1', 2)], { proxy, drainTimeoutMs });
  await gateway.declare(sampleEnvironment([service]), 1);
  return gateway;
}

const traffic = async (gateway: TestGateway): Promise<TrafficReport> =>
  JSON.parse((await gateway.ask('/status/traffic.json')).body);

/** Status and body of a POST on a connection of its own. */
function post(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    asked.on('error', reject);
    asked.end('{}');
  });
}

test('a new service is routed without a reload: the workers stay, and the figures of its version are told', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const master = findMaster(gatewayPaths(gateway.dir)) ?? 0;
  const workers = workersOf(master);
  for (let n = 1; n <= 20; n += 1) {
    await gateway.register(onLoopback(`service-${n}`, '1.0', n, backend.port));
    await gateway.settled();
    t.is((await gateway.ask(`/service-${n}/x`)).status, 200);
  }
  t.deepEqual(workersOf(master), workers);
  const told = await eventually(
    'figures',
    async () => {
      const said = await traffic(gateway);
      return said.versions.length === 20 ? said : null;
    },
    30_000,
  );
  t.like(told.versions[0], { service: 'service-1', version: '1.0', requests: 1, errors5xx: 0 });
  t.is(
    told.versions[0]?.latencyMs.counts.reduce((sum, n) => sum + n),
    1,
  );
  const { mode, modeReason, tables } = await gateway.status();
  t.deepEqual([mode, modeReason], ['dynamic', 'the command line asks for it']);
  t.true(tables.some(({ name, bytes, free }) => name === 'mcp_routes' && bytes > 1_000_000 && free > 0));
  t.is(readFileSync(gatewayPaths(gateway.dir).errorLog, 'utf8'), '');
});

test('weights are exact within 1 % over 10,000 requests, while other services change', async (t) => {
  const gateway = await testGateway(t);
  const versions = [sampleVersion('1', 2, 70), sampleVersion('2', 1, 30), sampleVersion('3', 1, 0)];
  await gateway.declare(sampleEnvironment([sampleService('dns', versions)]), 1);
  const counts = new Map<string, number>();
  const answer = (name: string) => ({
    answer: (_: unknown, response: { end(text: string): void }) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      response.end(name);
    },
  });
  for (const [index, version] of ['1', '1', '2', '3'].entries()) {
    const { port } = await startBackend(t, version, answer(version));
    await gateway.register(onLoopback('dns', version, index, port));
  }
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const load = startLoad(gateway.url, [{ method: 'GET', path: '/dns/x' }], { clients: 16, pauseMs: 0 });
  t.teardown(() => void load.stop());
  const total = () => [...counts.values()].reduce((sum, n) => sum + n, 0);
  for (let n = 0; total() < 10_000; n += 1) {
    await gateway.register(onLoopback('other', '1', 10 + (n % 5), 1000 + n));
    await pause(20);
  }
  const { failures } = await load.stop();
  t.deepEqual(failures, []);
  t.true(Math.abs((counts.get('2') ?? 0) / total() - 0.3) < 0.003, JSON.stringify([...counts]));
  t.is(counts.get('3'), undefined, 'weight 0 gets nothing');
});

test('kill -9 of one of two instances: no GET fails, and the dead one is passed over until the registry says so', async (t) => {
  const gateway = await declaredGateway(t, { markDownMs: 60_000 });
  const [stays, dies] = [await startBackendProcess(t, 'stays'), await startBackendProcess(t, 'dies')];
  await gateway.register(onLoopback('dns', '1', 1, stays.port));
  await gateway.register(onLoopback('dns', '1', 2, dies.port));
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const load = startLoad(gateway.url, [{ method: 'GET', path: '/dns/x' }], { clients: 32, pauseMs: 1 });
  t.teardown(() => void load.stop());
  await pause(500);
  await dies.kill();
  const isDown = async () => (await traffic(gateway)).down.includes(`127.0.0.1:${dies.port}`);
  await eventually('marked down', isDown, 30_000);
  const { failures, requests } = await load.stop();
  t.deepEqual(failures, []);
  t.true(requests > 100);
});

test('a POST that was sent is tried again only where the service says so; one that could not be sent always is', async (t) => {
  const gateway = await testGateway(t);
  const declared = (name: string, proxy: ProxySpec) => sampleService(name, [sampleVersion('1', 2)], { proxy });
  const services = [
    declared('usual', { markDownMs: 0 }),
    declared('safe', { retryNonIdempotent: true, markDownMs: 0 }),
    declared('refusing', { markDownMs: 0 }),
    declared('single', { retries: 0, markDownMs: 0 }),
  ];
  await gateway.declare(sampleEnvironment(services), 1);
  const good = await startBackend(t, 'good');
  let seen = 0;
  const breaking = await startBackend(t, 'breaking', {
    answer: (incoming) => {
      seen += 1;
      incoming.socket.destroy();
    },
  });
  const unused = await freePort();
  const register = async (service: string, port: number) => {
    await gateway.register(onLoopback(service, '1', 1, good.port));
    await gateway.register(onLoopback(service, '1', 2, port));
  };
  for (const service of ['usual', 'safe', 'single']) await register(service, breaking.port);
  await register('refusing', unused);
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const tally = async (service: string, ask: (url: string) => Promise<number>) => {
    const found = new Set<number>();
    for (let n = 0; n < 24; n += 1) found.add(await ask(`${gateway.url}/${service}/x`));
    return [...found].sort();
  };
  const get = async (url: string) => (await gateway.ask(url.slice(gateway.url.length))).status;
  t.deepEqual(await tally('usual', post), [200, 502]);
  t.true(seen > 0);
  t.deepEqual(await tally('usual', get), [200]);
  t.deepEqual(await tally('safe', post), [200]);
  t.deepEqual(await tally('refusing', post), [200]);
  t.deepEqual(await tally('single', get), [200, 502], 'without further tries a GET fails too');
});

test('the retry budget ends a storm: where every instance fails, most requests are sent once', async (t) => {
  const gateway = await declaredGateway(t, { retryBudget: 0, markDownMs: 0 });
  let seen = 0;
  const breaking = {
    answer: (incoming: { socket: Socket }) => {
      seen += 1;
      incoming.socket.destroy();
    },
  };
  for (const n of [1, 2, 3])
    await gateway.register(onLoopback('dns', '1', n, (await startBackend(t, `b${n}`, breaking)).port));
  gateway.start({ mode: 'dynamic', workers: 1 });
  await gateway.settled();
  const asked = 600;
  const began = performance.now();
  const statuses = new Set<number>();
  for (let n = 0; n < asked; n += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('/dns/x')));
    for (const { status } of answers) statuses.add(status);
  }
  t.deepEqual([...statuses], [502]);
  // 250 tries at first and ten a second are always allowed.
  const allowed = 250 + (10 * (performance.now() - began)) / 1000;
  t.true(seen <= asked + allowed + 20, `${seen} tries of ${asked} requests, ${allowed} allowed`);
});

test('a WebSocket counts as in flight; after the drain time it is closed, and only then its instance is drained', async (t) => {
  const gateway = await declaredGateway(t, {}, 1500);
  const sockets: Socket[] = [];
  const backend = await startBackend(t, 'ws');
  backend.server.on('upgrade', (_, socket: Socket) => {
    sockets.push(socket);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    socket.on('data', (data) => socket.write(data));
    socket.on('error', () => {});
  });
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
  });
  const one = onLoopback('dns', '1', 1, backend.port);
  await gateway.register(one);
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const client = connect(gateway.port, '127.0.0.1');
  t.teardown(async () => {
    client.destroy();
  });
  let heard = '';
  client.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  const closed = new Promise<number>((resolve) => client.on('close', () => resolve(performance.now())));
  client.write('GET /dns/ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
  await eventually('upgraded', () => heard.includes('101'));
  client.write('hello');
  await eventually('echoed', () => heard.endsWith('hello'));
  const key = { service: 'dns', endpoint: `127.0.0.1:${backend.port}`, requests: 1 };
  const counted = async () => JSON.stringify((await traffic(gateway)).inFlight) === JSON.stringify([key]);
  await eventually('counted', counted, 30_000);

  const began = performance.now();
  const mzxid = await gateway.register({ ...one, record: { ...one.record, state: 'draining' } });
  const word = await eventually('out of the routes', async () => {
    const said = await gateway.record();
    return said.served.asOf >= mzxid ? said : null;
  });
  t.true(word.drained.asOf < mzxid);
  client.write('still');
  await eventually('it goes on meanwhile', () => heard.endsWith('still'));
  t.true((await closed) - began >= 1500, 'not closed before its time');
  await eventually('drained', async () => (await gateway.record()).drained.asOf >= mzxid);
});

test('a daemon that starts beside a running nginx knows what still is in flight at an instance that drains', async (t) => {
  const gateway = await declaredGateway(t, {});
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived = false;
  const slow = await startBackend(t, 'slow', {
    answer: (_, response) => {
      arrived = true;
      void held.then(() => response.end('slow'));
    },
  });
  const one = onLoopback('dns', '1', 1, slow.port);
  await gateway.register(one);
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const asked = gateway.ask('/dns/x');
  await eventually('the request arrived', () => arrived);
  await gateway.end();
  const mzxid = await gateway.register({ ...one, record: { ...one.record, state: 'draining' } });
  gateway.start({ mode: 'dynamic' });
  await eventually('served', async () => ((await gateway.record().catch(() => null))?.served.asOf ?? 0) >= mzxid);
  await gateway.end();
  gateway.start({ mode: 'dynamic' });
  const again = await eventually('told by the next daemon', async () => {
    const said = await gateway.record().catch(() => null);
    return said && said.served.asOf >= mzxid ? said : null;
  });
  t.true(again.drained.asOf < mzxid);
  release();
  t.is((await asked).body, 'slow');
  await eventually('drained', async () => (await gateway.record()).drained.asOf >= mzxid);
});

test('a worker that is killed takes its counts along: nothing waits for its requests', async (t) => {
  const gateway = await declaredGateway(t, {});
  const slow = await startBackend(t, 'slow', { answer: () => {} });
  const one = onLoopback('dns', '1', 1, slow.port);
  await gateway.register(one);
  gateway.start({ mode: 'dynamic', workers: 2 });
  await gateway.settled();
  const broken = Array.from({ length: 6 }, () =>
    gateway.ask('/dns/x').then(
      () => 'answered',
      () => 'broken',
    ),
  );
  await eventually('in flight', async () => (await traffic(gateway)).inFlight[0]?.requests === 6, 30_000);
  const mzxid = await gateway.register({ ...one, record: { ...one.record, state: 'draining' } });
  for (const { pid } of workersOf(findMaster(gatewayPaths(gateway.dir)) ?? 0)) process.kill(pid, 'SIGKILL');
  await eventually('drained', async () => (await gateway.record()).drained.asOf >= mzxid);
  t.deepEqual(new Set(await Promise.all(broken)), new Set(['broken']));
});

test('a worker that ends tells what it counted first, and what its last requests add', async (t) => {
  const gateway = await declaredGateway(t, {});
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived = false;
  const backend = await startBackend(t, 'one', {
    answer: (asked, response) => {
      arrived ||= asked.url === '/slow';
      void (asked.url === '/slow' ? held : Promise.resolve()).then(() => response.end());
    },
  });
  await gateway.register(onLoopback('dns', '1', 1, backend.port));
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const slow = gateway.ask('/dns/slow');
  await eventually('the slow request arrived', () => arrived);
  for (let n = 0; n < 20; n += 1) t.is((await gateway.ask('/dns/x')).status, 200);
  const master = findMaster(gatewayPaths(gateway.dir)) ?? 0;
  process.kill(master, 'SIGHUP');
  await eventually('a worker is leaving', () => workersOf(master).some(({ leaving }) => leaving));
  release();
  t.is((await slow).status, 200);
  await eventually('all are counted', async () => (await traffic(gateway)).versions[0]?.requests === 21, 30_000);
});

test('tables that are full: the last good routes stay, and what is wrong is told, until there is room', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  await gateway.register(onLoopback('dns', '1', 1, backend.port));
  gateway.start({ mode: 'dynamic', tableBytes: 64 * 1024 });
  const before = await gateway.settled();
  for (let n = 1; n <= 250; n += 1) await gateway.register(onLoopback('crowd', '1', n, 10_000 + n));
  for (let n = 1; n <= 120; n += 1) await gateway.register(onLoopback(`crowd-${n}`, '1', 1000 + n, 10_000 + n));
  const told = await eventually('told', async () => {
    const said = await gateway.status();
    return said.problem.includes('do not fit') ? said : null;
  });
  t.true(told.served.generation >= before.served.generation);
  t.regex((await gateway.record()).holding, /do not fit/);
  t.is((await gateway.ask('/dns/x')).status, 200);
  for (let n = 1; n <= 120; n += 1) await gateway.client.delete(onLoopback(`crowd-${n}`, '1', 1000 + n, 1).path);
  for (let n = 1; n <= 250; n += 1) await gateway.client.delete(onLoopback('crowd', '1', n, 1).path);
  await gateway.register(onLoopback('late', '1', 3000, backend.port));
  await eventually('room again', async () => (await gateway.ask('/late/x')).status === 200, 30_000);
});

test('100 changes a second under keep-alive GET and POST: no request fails', async (t) => {
  const gateway = await testGateway(t);
  const ports = await Promise.all([1, 2].map(async (n) => (await startBackend(t, `b${n}`)).port));
  for (const [n, port] of ports.entries()) await gateway.register(onLoopback('dns', '1', n, port));
  gateway.start({ mode: 'dynamic' });
  const before = await gateway.settled();
  const load = startLoad(
    gateway.url,
    [
      { method: 'GET', path: '/dns/x' },
      { method: 'POST', path: '/dns/x', body: '{}' },
    ],
    { clients: 16 },
  );
  t.teardown(() => void load.stop());
  for (let n = 0; n < 200; n += 1) {
    // The second instance comes and goes; others change beside it.
    const one = onLoopback('dns', '1', 1, ports[1] ?? 0);
    if (n % 2 === 0) await gateway.register({ ...one, record: { ...one.record, state: n % 4 ? 'up' : 'draining' } });
    else await gateway.register(onLoopback(`service-${n % 7}`, '1', 10 + (n % 7), 1000 + n));
    await pause(10);
  }
  const { failures } = await load.stop();
  t.deepEqual(failures, []);
  t.true((await gateway.settled()).served.generation > before.served.generation + 20);
});

test('a new instance warms up: its share rises; where all are new they share alike', async (t) => {
  const gateway = await declaredGateway(t, { slowStartMs: 600_000 });
  const counts = new Map<string, number>();
  const named = (name: string) =>
    startBackend(t, name, {
      answer: (_, response) => {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        response.end();
      },
    });
  for (const [n, name] of ['one', 'two'].entries())
    await gateway.register(onLoopback('dns', '1', n, (await named(name)).port));
  gateway.start({ mode: 'dynamic' });
  await gateway.settled();
  const spread = async () => {
    counts.clear();
    for (let n = 0; n < 120; n += 1) await gateway.ask('/dns/x');
    return counts;
  };
  t.true(((await spread()).get('two') ?? 0) > 30);
  await gateway.register(onLoopback('dns', '1', 2, (await named('new')).port));
  await gateway.settled();
  const isNew = (await spread()).get('new') ?? 0;
  t.true(isNew > 0 && isNew < 30, `${isNew} of 120`);
});

test('event streams pass at once; instances of the gateway’s own zone are preferred as long as there are enough', async (t) => {
  const gateway = await declaredGateway(t, {});
  const streaming = await startBackend(t, 'sse', {
    answer: (incoming, response) => {
      if (incoming.headers.accept !== 'text/event-stream') return void response.end('near');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    },
  });
  const far = await startBackend(t, 'far', { answer: (_, response) => response.end('far') });
  const near = onLoopback('dns', '1', 1, streaming.port);
  const away = onLoopback('dns', '1', 2, far.port);
  await gateway.register({ ...near, record: { ...near.record, zone: 'a' } });
  await gateway.register({ ...away, record: { ...away.record, zone: 'b' } });
  gateway.start({ mode: 'dynamic', zone: 'a' });
  await gateway.settled();
  const bodies = new Set<string>();
  for (let n = 0; n < 20; n += 1) bodies.add((await gateway.ask('/dns/x')).body);
  t.deepEqual([...bodies], ['near']);
  const first = await new Promise<string>((resolve, reject) => {
    const asked = request(
      `${gateway.url}/dns/x`,
      { headers: { accept: 'text/event-stream' }, agent: false },
      (answer) =>
        answer.setEncoding('utf8').once('data', (text: string) => {
          resolve(text);
          asked.destroy();
        }),
    );
    asked.on('error', reject);
    asked.end();
  });
  t.is(first, 'data: 1\n\n');
  await gateway.register({ ...near, record: { ...near.record, zone: 'a', state: 'draining' } });
  await gateway.settled();
  t.is((await gateway.ask('/dns/x')).body, 'far');
});

test('from plain to dynamic mode and back, as the environment declares: no request fails, the generation goes on', async (t) => {
  const gateway = await testGateway(t);
  const backend = await startBackend(t, 'one');
  const declare = (mode: 'plain' | 'dynamic', generation: number) => {
    const environment = sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)])]);
    return gateway.declare({ ...environment, gateway: { ...environment.gateway, mode } }, generation);
  };
  await declare('plain', 1);
  await gateway.register(onLoopback('dns', '1', 1, backend.port));
  gateway.start();
  const seen: number[] = [];
  for (const [index, mode] of (['plain', 'dynamic', 'plain'] as const).entries()) {
    if (index > 0) await declare(mode, index + 1);
    const said = await eventually(`${mode} mode`, async () => {
      const record = await gateway.record().catch(() => null);
      return record?.mode === mode && (await gateway.status()).routes.length === 1 ? record : null;
    });
    await eventually('served', async () => (await gateway.ask('/dns/x')).status === 200);
    seen.push(said.served.generation);
  }
  t.deepEqual(
    seen.map((generation, index) => generation >= (seen[index - 1] ?? 0)),
    [true, true, true],
  );
});
