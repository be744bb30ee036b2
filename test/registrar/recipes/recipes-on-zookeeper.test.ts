import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import { LeaderLatch } from '../../../registrar/recipes/leader-latch.ts';
import { MembershipCache } from '../../../registrar/recipes/membership-cache.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { testRecipes } from '../../conformance/recipes.ts';
import { eventually } from '../../helpers/eventually.ts';
import { startZooKeeper, type TestZooKeeper } from '../../helpers/zookeeper.ts';

const test = anyTest as TestFn;
let server: TestZooKeeper | null = null;
let roots = 0;

test.before(async () => {
  server = await startZooKeeper();
});

test.after.always(async () => {
  await server?.stop();
});

/** A root of its own for each test, and sessions that end with it. */
async function openRoot(t: ExecutionContext) {
  if (!server) throw new Error('no server');
  roots += 1;
  const connectString = `${server.connectString}/root${roots}`;
  const clients: RegistryClient[] = [];
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const connect = async () => {
    const client = await connectZooKeeper(connectString, { sessionTimeoutMs: 10_000 });
    clients.push(client);
    return client;
  };
  return { connectString, connect };
}

testRecipes(test, async (t) => (await openRoot(t)).connect);

test.serial('a leader whose process was stopped for longer than its session writes nothing more', async (t) => {
  const { connectString, connect } = await openRoot(t);
  const observer = await connect();
  await formatRegistry(observer, systemClock, { clusterId: 'c' });
  const sleeper = contender(t, connectString, 'sleeper');
  const first = await eventually('the first leads', () => sleeper.epochs()[0]);
  await eventually('it writes', () => sleeper.lines.includes(`wrote ${first}`));
  const heir = contender(t, connectString, 'heir');
  await eventually('the heir is in line', async () => (await observer.children(paths.leader)).children.length === 2);
  sleeper.child.kill('SIGSTOP');
  const second = await eventually('the heir leads', () => heir.epochs()[0], 20_000);
  t.true(second > first);
  const asleep = sleeper.lines.length;
  const before = await observer.children(paths.events);
  sleeper.child.kill('SIGCONT');
  await eventually('the sleeper tries to write', () => sleeper.lines.length > asleep + 5);
  const after = sleeper.lines.slice(asleep + 1);
  t.deepEqual(
    after.filter((line) => !/^refused (EPOCH_LOST|REGISTRY_\w+|WRITE_UNKNOWN) /.test(line)),
    [],
  );
  const written = (await observer.children(paths.events)).children.filter((name) => name.startsWith('sleeper'));
  t.is(written.length, before.children.filter((name) => name.startsWith('sleeper')).length);
});

test.serial(
  'through a restart of the server a cache becomes right again, and a leader leads with a later epoch',
  async (t) => {
    const { connect } = await openRoot(t);
    const [writer, reader, candidate] = await Promise.all([connect(), connect(), connect()]);
    await formatRegistry(writer, systemClock, { clusterId: 'c' });
    const stop = new AbortController();
    const epochs: number[] = [];
    const run = new LeaderLatch({ client: candidate, clock: systemClock, id: 'me' }).run(async ({ epoch, signal }) => {
      epochs.push(epoch);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }, stop.signal);
    const cache = new MembershipCache({ client: reader, clock: systemClock, root: paths.services, depth: 1 });
    await cache.start(stop.signal);
    await eventually('it leads', () => epochs.length === 1);
    await server?.kill();
    await eventually('the readers have noticed', () => reader.state === 'suspended');
    const known = cache.current();
    await server?.restart();
    const { stat } = await writer.create(paths.service('dns'));
    await eventually('the cache has it', () => (cache.current()?.asOf ?? 0) >= stat.mzxid, 20_000);
    t.true(cache.current()?.nodes.has(paths.service('dns')));
    t.false(known?.nodes.has(paths.service('dns')));
    await eventually('it leads again', () => epochs.length === 2, 20_000);
    t.true((epochs[1] ?? 0) > (epochs[0] ?? 0));
    stop.abort();
    await run;
  },
);

function contender(t: ExecutionContext, connectString: string, id: string) {
  const script = fileURLToPath(new URL('../../helpers/contender.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [script, connectString, id], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  const lines: string[] = [];
  if (child.stdout) createInterface(child.stdout).on('line', (line) => lines.push(line));
  const epochs = () => lines.flatMap((line) => (line.startsWith('leads ') ? [Number(line.slice(6))] : []));
  return { child, lines, epochs };
}
