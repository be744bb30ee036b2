/** What must go on while parts are gone: ZooKeeper stopped, controllers killed. Real processes throughout. */
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { findDaemon, stopDaemon } from '../../mcp/local/daemons.ts';
import { statePaths } from '../../mcp/local/state.ts';
import { startLoad } from '../helpers/load.ts';
import { instancesOf, runMcp, settled, startEnvironment, type TestEnvironment } from '../helpers/local-environment.ts';

const outageMs = 12_000;
/** Each costs six seconds; with MCP_ALL=1 there are twenty. */
const kills = process.env.MCP_ALL === '1' ? 20 : 4;
const targets = [
  { method: 'GET', path: '/dns/zones' },
  { method: 'GET', path: '/domains/v1/names' },
  { method: 'GET', path: '/certificates/issued' },
] as const;

async function killDaemon(env: TestEnvironment, name: string): Promise<void> {
  const identity = await findDaemon(statePaths(env.dir), name);
  if (identity) process.kill(identity.pid, 'SIGKILL');
}

function machinesOf(status: Awaited<ReturnType<TestEnvironment['status']>>): string[] {
  return status.services.flatMap(({ name }) => instancesOf(status, name).map(({ machine }) => machine)).sort();
}

test('ZooKeeper away for several sessions: traffic goes on, and no machine is destroyed when it is back', async (t) => {
  t.timeout(240_000);
  const env = await startEnvironment(t, { args: ['--session-timeout', '4000'] });
  const before = machinesOf(await env.status());
  const paths = statePaths(env.dir);
  const load = startLoad(env.url, [...targets], { clients: 4, pauseMs: 10 });
  t.teardown(() => void load.stop());
  await stopDaemon(paths, 'supervisor', 5000);
  await stopDaemon(paths, 'zookeeper', 5000);
  // The outage itself is what is tested: nothing else ends it.
  await pause(outageMs);
  const again = await runMcp(['up', '--state', env.dir, '--json']);
  t.is(again.code, 0, again.stderr);
  const after = await env.until('all live again', settled, 90_000);
  const seen = await load.stop();
  t.deepEqual(machinesOf(after), before);
  t.true(seen.requests > 500, String(seen.requests));
  t.deepEqual(
    seen.failures.filter(({ what }) => /^\d+$/.test(what)),
    [],
    'no request was answered with an error',
  );
  const { stdout } = await env.mcp('events', '--json', '--limit', '1000');
  const kinds = (JSON.parse(stdout) as { events: { kind: string }[] }).events.map(({ kind }) => kind);
  t.deepEqual(
    kinds.filter((kind) => /retired|destroyed|condemned|drained/.test(kind)),
    [],
  );
});

/** Deterministic "at random": a linear congruential generator (Numerical Recipes' constants). */
function* randoms(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

test(`a controller killed ${kills} times while counts change: all converges, nothing leaks, nothing is claimed twice`, async (t) => {
  t.timeout(300_000);
  const env = await startEnvironment(t, { args: ['--session-timeout', '2000'] });
  const random = randoms(20);
  const next = () => random.next().value as number;
  for (let kill = 0; kill < kills; kill++) {
    const count = 1 + Math.floor(next() * 4);
    await env.mcp('scale', 'dns', String(count), '--yes', '--no-wait');
    // Where in the work the kill falls is what differs from round to round.
    await pause(Math.floor(next() * 1500));
    await killDaemon(env, 'controller-1');
  }
  await env.mcp('scale', 'dns', '3', '--yes', '--no-wait');
  const end = await env.until(
    'three of dns and a full pool',
    (status) => {
      return (
        settled(status) &&
        instancesOf(status, 'dns').length === 3 &&
        status.pool.ready >= status.pool.target &&
        status.pool.building === 0
      );
    },
    150_000,
  );
  const { stdout } = await env.mcp('machines', '--json');
  const { machines } = JSON.parse(stdout) as { machines: { machine: string; state: string; address: string }[] };
  t.is(
    new Set(machines.map(({ address }) => address)).size,
    machines.length,
    'every machine has an address of its own',
  );
  t.is(new Set(machinesOf(end)).size, machinesOf(end).length, 'no machine serves twice');
  await env.until(
    'nothing but what serves and the pool',
    (status) => settled(status) && status.pool.ready === status.pool.target,
    120_000,
  );
});

test('a standby takes over when the leader is killed, with a higher epoch', async (t) => {
  t.timeout(180_000);
  const env = await startEnvironment(t, { args: ['--controllers', '2', '--session-timeout', '2000'] });
  const first = await env.until('a leader', ({ leader }) => leader !== null);
  await stopDaemon(statePaths(env.dir), 'supervisor', 5000);
  await killDaemon(env, first.leader ?? '');
  const second = await env.until('another leader', ({ leader }) => leader !== null && leader !== first.leader, 30_000);
  t.true(second.epoch > first.epoch);
  await env.mcp('scale', 'dns', '3');
});
