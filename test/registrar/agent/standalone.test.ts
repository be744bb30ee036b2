import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { runStandalone, type StandaloneAgent } from '../../../registrar/agent/standalone.ts';
import { paths } from '../../../registrar/layout.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import type { RegistrationRecord } from '../../../registrar/records.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { eventually } from '../../helpers/eventually.ts';

async function setUp(t: ExecutionContext) {
  const registry = new FakeRegistry();
  const admin = await registry.connect();
  await formatRegistry(admin, systemClock, { clusterId: 'test' });
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const port = (server.address() as AddressInfo).port;
  const path = paths.registration('dns', '1.2.0', 'u-1');
  const leaving = new AbortController();
  const agents: Promise<void>[] = [];
  const start = (changes: Partial<StandaloneAgent> = {}) => {
    const ended = runStandalone({
      uuid: 'u-1',
      service: 'dns',
      version: '1.2.0',
      address: '127.0.0.1',
      port,
      health: { kind: 'tcp', intervalMs: 50, timeoutMs: 500, rise: 1, fall: 1 },
      drainTimeoutMs: 60_000,
      connect: registry.connect,
      clock: systemClock,
      log: pino({ level: 'silent' }),
      signal: leaving.signal,
      ...changes,
    });
    agents.push(ended);
    return ended;
  };
  t.teardown(async () => {
    leaving.abort();
    await Promise.allSettled(agents);
  });
  const state = (wanted: string | null) =>
    eventually(`state ${wanted}`, async () => (await read(admin, path)) === wanted);
  return { admin, server, port, path, leaving, start, state };
}

async function read(admin: RegistryClient, path: string): Promise<string | null> {
  const found = await admin.get(path).catch(() => null);
  return found && (JSON.parse(found.data.toString()) as RegistrationRecord).state;
}

test('a process that listens is registered, one that does not is not', async (t) => {
  const { admin, server, port, path, start, state } = await setUp(t);
  start({ document: '/openapi.json' });
  await state('up');
  t.like(JSON.parse((await admin.get(path)).data.toString()), {
    service: 'dns',
    version: '1.2.0',
    machine: 'u-1',
    address: '127.0.0.1',
    port,
    document: '/openapi.json',
  });
  await new Promise((resolve) => server.close(resolve));
  await state(null);
});

test('on its way out it drains until the gateways let go, and leaves the process alone', async (t) => {
  const { admin, server, path, leaving, start, state } = await setUp(t);
  const mark = (asOf: number) => ({ generation: 1, asOf });
  const rest = { id: 'g', url: '', pid: 1, mode: 'plain', routes: 0, instances: 0, holding: '', rejected: [], at: 0 };
  await admin.create(paths.gateway('g'), JSON.stringify({ ...rest, served: mark(0), drained: mark(0) }));
  const ended = start();
  await state('up');
  leaving.abort();
  await state('draining');
  const { stat } = await admin.get(path);
  await admin.set(paths.gateway('g'), JSON.stringify({ ...rest, served: mark(stat.mzxid), drained: mark(stat.mzxid) }));
  await ended;
  t.is(await read(admin, path), null);
  t.true(server.listening);
});
