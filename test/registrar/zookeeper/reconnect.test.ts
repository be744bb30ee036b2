/** The wire client against a real server over lines that break in every way we could think of. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { SessionState, WatchNotice } from '../../../registrar/registry-client.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { isMcpError } from '../../../specs/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freePort } from '../../helpers/free-port.ts';
import { proxiedRegistry } from '../../helpers/registry-under-test.ts';
import { TcpProxy } from '../../helpers/tcp-proxy.ts';
import type { TestZooKeeper } from '../../helpers/zookeeper.ts';
import { startZooKeeper } from '../../helpers/zookeeper.ts';

let server: TestZooKeeper;
test.before(async () => {
  server = await startZooKeeper();
});
test.after.always(() => server?.stop());

/** Keeps the servers of a connect string in their order. */
const inOrder = () => 0;

test('a server that takes connections but never answers is passed over', async (t) => {
  const hanging = await TcpProxy.start(server.port);
  t.teardown(() => hanging.stop());
  hanging.freeze('requests', 'replies');
  const servers = `127.0.0.1:${hanging.port},${server.connectString}`;
  const started = performance.now();
  const client = await connectZooKeeper(servers, { connectTimeoutMs: 1000, random: inOrder });
  t.true(performance.now() - started < 4000);
  t.is(hanging.connections, 1);
  t.is(client.state, 'connected');
  await client.close();
});

test('a line that goes silent is noticed within the session timeout; another server takes the session on', async (t) => {
  const silent = await TcpProxy.start(server.port);
  const other = await TcpProxy.start(server.port);
  t.teardown(() => Promise.all([silent.stop(), other.stop()]));
  const servers = `127.0.0.1:${silent.port},127.0.0.1:${other.port}`;
  const client = await connectZooKeeper(servers, { sessionTimeoutMs: 6000, random: inOrder });
  t.teardown(() => client.close());
  const { sessionId } = client;
  await client.create('/silent-line', '', { mode: 'ephemeral' });
  const states: SessionState[] = [];
  client.onState((state) => void states.push(state));
  silent.freeze('requests', 'replies');
  const started = performance.now();
  const lost = client.get('/silent-line');
  await t.throwsAsync(lost, { code: 'REGISTRY_CONNECTION_LOSS' });
  t.true(performance.now() - started < 5500, 'before the session could expire');
  t.is((await client.get('/silent-line')).stat.ephemeralOwner, sessionId);
  t.deepEqual(states, ['suspended', 'connected']);
  t.is(other.connections, 1);
});

test('a line that only loses replies is given up too, and nothing is lost when it heals', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect({ sessionTimeoutMs: 6000 });
  const { sessionId } = client;
  registry.proxyOf(client).freeze('replies');
  const error = await t.throwsAsync(client.create('/applied'));
  t.true(isMcpError(error, 'REGISTRY_CONNECTION_LOSS'));
  await registry.restore(client);
  t.truthy(await client.exists('/applied'), 'the request got through, only its reply did not');
  t.is(client.sessionId, sessionId);
});

test('a client without anything to say keeps its session', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect({ sessionTimeoutMs: 6000 });
  const states: SessionState[] = [];
  client.onState((state) => void states.push(state));
  await sleep(5000);
  t.deepEqual(states, []);
});

test('a slow line is slow, but not given up', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect();
  const states: SessionState[] = [];
  client.onState((state) => void states.push(state));
  registry.proxyOf(client).delay(300);
  const deadline = performance.now() + 2500;
  while (performance.now() < deadline) await client.sync('/');
  t.deepEqual(states, []);
});

test.serial('a client whose process stood still keeps its connection while the session lives', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect({ sessionTimeoutMs: 6000 });
  const states: SessionState[] = [];
  client.onState((state) => void states.push(state));
  const until = performance.now() + 3500;
  while (performance.now() < until) {
    // The event loop is blocked on purpose.
  }
  await client.sync('/');
  await sleep(1200);
  t.deepEqual(states, []);
});

test('what was acknowledged is there, through cuts at any moment', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect();
  const acknowledged: string[] = [];
  let unknown = 0;
  let writing = true;
  const cutting = (async () => {
    for (let cut = 0; cut < 8; cut++) {
      const before = acknowledged.length;
      await eventually('some writes to be done', () => acknowledged.length > before + 20);
      registry.proxyOf(client).cut();
    }
    writing = false;
  })();
  for (let n = 0; writing; n += 10) {
    const names = Array.from({ length: 10 }, (_, i) => `n${n + i}`);
    const outcomes = await Promise.allSettled(names.map((name) => client.create(`/${name}`)));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') acknowledged.push(names[index] ?? '');
      else {
        t.true(isMcpError(outcome.reason, 'REGISTRY_CONNECTION_LOSS'), String(outcome.reason));
        unknown += 1;
      }
    }
  }
  await cutting;
  const there = new Set<string>();
  // The last cut may only now be noticed.
  await eventually('the client to be connected again', async () => {
    const { children } = await client.children('/').catch((error) => {
      if (isMcpError(error, 'REGISTRY_CONNECTION_LOSS')) return { children: [] };
      throw error;
    });
    for (const name of children) there.add(name);
    return children.length > 0;
  });
  t.deepEqual(
    acknowledged.filter((name) => !there.has(name)),
    [],
  );
  t.true(there.size <= acknowledged.length + unknown);
  t.true(registry.proxyOf(client).connections >= 9);
});

test('persistent watches see every change across cuts, by event or by resync', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const [watcher, writer] = await Promise.all([registry.connect(), registry.connect()]);
  let known: string[] = [];
  let stale = true;
  let resyncs = 0;
  await watcher.addWatch('/', 'persistent-recursive', ({ kind }: WatchNotice) => {
    stale = true;
    if (kind === 'resync') resyncs += 1;
  });
  for (let n = 0; n < 40; n++) {
    if (n % 10 === 5) registry.proxyOf(watcher).cut();
    await writer.create(`/n${n}`);
  }
  await eventually('the watcher to know all 40', async () => {
    if (stale) {
      stale = false;
      known = await watcher.children('/').then(
        ({ children }) => children,
        () => {
          stale = true;
          return known;
        },
      );
    }
    return known.length === 40;
  });
  t.true(resyncs >= 1);
});

test('replies over the limit are refused one by one; the connection stays', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect({ replyLimitBytes: 1000 });
  await client.create('/large', Buffer.alloc(100_000));
  await client.create('/small', 'x');
  const [large, small] = await Promise.allSettled([client.get('/large'), client.get('/small')]);
  t.true(large.status === 'rejected' && isMcpError(large.reason, 'REGISTRY_TOO_LARGE'));
  t.is(small.status === 'fulfilled' && small.value.data.toString(), 'x');
  t.is(registry.proxyOf(client).connections, 1);
});

test('bytes waiting for a connection are bounded too', async (t) => {
  const registry = await proxiedRegistry(t, server);
  const client = await registry.connect({ queueBytes: 10_000 });
  await registry.interrupt(client);
  const fits = client.create('/fits', Buffer.alloc(8000));
  await t.throwsAsync(client.create('/not', Buffer.alloc(8000)), { code: 'REGISTRY_QUEUE_FULL' });
  await registry.restore(client);
  await fits;
  await client.create('/now', Buffer.alloc(8000));
});

test('without a server, connecting fails in time and says what to do', async (t) => {
  const port = await freePort();
  const error = await t.throwsAsync(connectZooKeeper(`127.0.0.1:${port}`, { establishTimeoutMs: 400 }));
  t.true(isMcpError(error, 'REGISTRY_CONNECTION_LOSS'));
  t.like(error, { retryable: true, hint: 'Is ZooKeeper running there, and reachable?' });
  t.regex(error?.message ?? '', /ECONNREFUSED/);
});

test('connecting stops when its signal aborts', async (t) => {
  const port = await freePort();
  const controller = new AbortController();
  const connecting = connectZooKeeper(`127.0.0.1:${port}`, { signal: controller.signal });
  controller.abort(new Error('not needed any more'));
  await t.throwsAsync(connecting, { message: 'not needed any more' });
  await t.throwsAsync(connectZooKeeper('127.0.0.1:1', { signal: AbortSignal.abort(new Error('never')) }), {
    message: 'never',
  });
});

test('refused credentials fail the connecting', async (t) => {
  const auth = [{ scheme: 'carrier-pigeon', auth: 'coo' }];
  await t.throwsAsync(connectZooKeeper(server.connectString, { auth }), { code: 'REGISTRY_AUTH_FAILED' });
});

test('something that is no ZooKeeper is told from one, whatever it sends', async (t) => {
  const greetings = ['HTTP/1.1 400 Bad Request\r\n\r\n', '\xff\xff\xff\xff', '\0\0\0\0', '\0\0\0\x04abcd', ''];
  let next = 0;
  const stranger = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(Buffer.from(greetings[next++ % greetings.length] ?? '', 'latin1'));
  });
  await new Promise<void>((resolve) => void stranger.listen(0, '127.0.0.1', resolve));
  t.teardown(() => stranger.close());
  const { port } = stranger.address() as AddressInfo;
  const troubles: unknown[] = [];
  const error = await t.throwsAsync(
    connectZooKeeper(`127.0.0.1:${port}`, { establishTimeoutMs: 2500, onTrouble: (trouble) => troubles.push(trouble) }),
    { code: 'REGISTRY_CONNECTION_LOSS' },
  );
  t.truthy(error);
  t.true(next >= greetings.length, 'it kept trying');
  t.true(troubles.some((trouble) => isMcpError((trouble as Error).cause, 'REGISTRY_PROTOCOL')));
});

test.serial('a restarted server finds the session and its ephemeral nodes again', async (t) => {
  const restarting = await startZooKeeper();
  t.teardown(() => restarting.stop());
  const client = await connectZooKeeper(restarting.connectString, { sessionTimeoutMs: 30_000, connectTimeoutMs: 2000 });
  t.teardown(() => client.close());
  const { sessionId } = client;
  await client.create('/mine', '', { mode: 'ephemeral' });
  await restarting.restart();
  await eventually(
    'a reply after the restart',
    () =>
      client.sync('/').then(
        () => true,
        () => false,
      ),
    30_000,
  );
  t.is(client.sessionId, sessionId);
  t.is((await client.exists('/mine'))?.ephemeralOwner, sessionId);
});
