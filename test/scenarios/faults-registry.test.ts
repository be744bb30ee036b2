/** Daemons that die or stand still and a registry that is damaged or wiped, under steady requests. Real processes throughout. */
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { statePaths } from '../../mcp/local/state.ts';
import { findMaster, workersOf } from '../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../proxy-daemon/nginx/paths.ts';
import { paths } from '../../registrar/layout.ts';
import { processesMarked } from '../../registrar/process-identity.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import {
  daemonPid,
  errorAnswers,
  eventKinds,
  freeze,
  machinesOf,
  withRegistry,
} from '../helpers/environment-faults.ts';
import { startLoad, type Target } from '../helpers/load.ts';
import { examples, runMcp, settled, shareEnvironment, type TestEnvironment } from '../helpers/local-environment.ts';
import { until } from '../helpers/until.ts';

const sessionTimeoutMs = 2000;
/** On a busy machine. */
const patienceMs = 90_000;
const environment = shareEnvironment(test, { args: ['--session-timeout', String(sessionTimeoutMs)] });
const targets: Target[] = ['/dns/zones', '/domains/v1/names', '/certificates/issued'].map((path) => ({
  method: 'GET',
  path,
}));
const destructive = /retired|destroy|died|drain/;

/** What is done meanwhile costs no answer, no machine and no destruction. */
async function unnoticed(t: ExecutionContext, env: TestEnvironment, body: () => Promise<unknown>) {
  const before = machinesOf(await env.status());
  const known = (await eventKinds(env)).length;
  const load = startLoad(env.url, targets, { clients: 3, pauseMs: 20 });
  t.teardown(() => void load.stop());
  try {
    await body();
  } finally {
    const seen = await load.stop();
    t.deepEqual(errorAnswers(seen), []);
    t.true(seen.requests > 0);
  }
  const after = await env.until('as before', (status) => settled(status) && status.leader !== null);
  t.deepEqual(machinesOf(after), before);
  t.deepEqual(
    (await eventKinds(env)).slice(known).filter((kind) => destructive.test(kind)),
    [],
  );
}

async function restarted(env: TestEnvironment, name: string, body: (pid: number) => unknown) {
  const pid = await daemonPid(env, name);
  await body(pid);
  await until(`${name} runs again`, async () => (await daemonPid(env, name).catch(() => pid)) !== pid);
}

test.serial('the gateway daemon and ZooKeeper killed: both are back, nobody noticed (faults 42, 46)', async (t) => {
  const env = environment();
  await unnoticed(t, env, async () => {
    await restarted(env, 'gateway-1', (pid) => process.kill(pid, 'SIGKILL'));
    await restarted(env, 'zookeeper', (pid) => process.kill(pid, 'SIGKILL'));
    await env.until('the gateway is registered again', ({ gateways }) => gateways.length === 1);
  });
});

test.serial(
  'the controller stands still for longer than its session: no act of the old term, a new term follows (fault 2)',
  async (t) => {
    const env = environment();
    const { epoch } = await env.status();
    await unnoticed(t, env, async () => {
      const pid = await daemonPid(env, 'controller-1');
      await freeze(pid, 2 * sessionTimeoutMs);
      await env.until('leads anew', (status) => status.epoch > epoch && status.leader !== null);
      t.is(await daemonPid(env, 'controller-1'), pid, 'the process is the same');
    });
  },
);

test.serial(
  'ZooKeeper and the gateway daemon stand still for longer than a session: all sessions survive or are replaced',
  async (t) => {
    const env = environment();
    await unnoticed(t, env, async () => {
      const names = ['zookeeper', 'gateway-1'];
      await Promise.all(names.map(async (name) => freeze(await daemonPid(env, name), 2 * sessionTimeoutMs)));
    });
  },
);

test.serial('nginx killed, its master and then a worker: it serves again (fault 45)', async (t) => {
  const env = environment();
  const gateway = gatewayPaths(statePaths(env.dir).gateway);
  const master = findMaster(gateway);
  process.kill(master ?? Number.NaN, 'SIGKILL');
  const next = await until('a new master', () => [findMaster(gateway)].find((pid) => pid !== null && pid !== master));
  await until('it serves', () => serves(env));
  const [worker] = workersOf(next);
  process.kill(worker?.pid ?? Number.NaN, 'SIGKILL');
  await until('it serves on', () => serves(env));
  await env.until('as declared', settled);
  t.pass();
});

async function serves(env: TestEnvironment): Promise<boolean> {
  const answers = await Promise.all(targets.map(({ path }) => fetch(env.url + path).catch(() => null)));
  return answers.every((answer) => answer?.status === 200);
}

test.serial('nonsense in the registry is left out by name and holds up nothing', async (t) => {
  const env = environment();
  await unnoticed(t, env, () =>
    withRegistry(env, async (client) => {
      const { machine: uuid, address } = (await env.status()).services[1]?.versions[0]?.instances[0] ?? {};
      const version = paths.version('dns', '1.2.0');
      await client.create(`${version}/persistent`, '{}');
      await client.create(`${version}/torn`, '{"schema":1,', { mode: 'ephemeral' });
      const stolen = {
        schema: 1,
        service: 'dns',
        version: '1.2.0',
        machine: 'x',
        address,
        port: 70_000,
        state: 'up',
        at: 1,
      };
      await client.create(`${version}/x`, JSON.stringify(stolen), { mode: 'ephemeral' });
      await client.create(paths.gateway('odd'), 'nonsense', { mode: 'ephemeral' });
      await client.set(paths.agent(uuid ?? ''), 'nonsense');
      await client.set(paths.config('dns'), 'nonsense');
      await until('the configuration is made anew', async () => {
        const { data } = await client.get(paths.config('dns'));
        return data.includes('default-ttl');
      });
      const { stdout } = await env.mcpFails(1, 'why', 'dns');
      for (const name of ['persistent', 'torn', 'x']) t.regex(stdout, new RegExp(`left out ${version}/${name}: `));
      t.regex(stdout, /odd serves generation 0.*invalid/);
      for (const path of [`${version}/persistent`]) await client.delete(path);
    }),
  );
  await env.mcp('why', 'dns');
});

test.serial(
  'a damaged declaration: all goes on as it was, also through a restart of the gateway; apply repairs it',
  async (t) => {
    const env = environment();
    await unnoticed(t, env, async () => {
      await withRegistry(env, (client) => client.set(paths.desired, '{"generation":'));
      const { stderr } = await env.mcpFails(1, 'status');
      t.regex(stderr, /\/desired.*mcp apply/s);
      await restarted(env, 'gateway-1', (pid) => process.kill(pid, 'SIGKILL'));
      await pause(sessionTimeoutMs);
      const applied = await env.mcp('apply', '-f', `${examples}hosting.yaml`, '--json');
      t.is((JSON.parse(applied.stdout) as { generation: number }).generation, 2);
    });
  },
);

test.serial(
  'one ledger entry that is none stops the controller, by name, until it is gone; all serves on',
  async (t) => {
    const env = environment();
    await unnoticed(t, env, () =>
      withRegistry(env, async (client) => {
        await client.create(paths.machine('odd'), 'nonsense');
        const { stderr } = await env.mcpFails(1, 'status');
        t.regex(stderr, /\/machines\/odd/);
        await client.delete(paths.machine('odd'));
      }),
    );
  },
);

test.serial('a ledger that is wiped, the rest left: what serves enters it again, no request fails (P3)', async (t) => {
  t.timeout(180_000);
  const env = environment();
  const before = machinesOf(await env.until('as declared', settled));
  const load = startLoad(env.url, targets, { clients: 3, pauseMs: 20 });
  t.teardown(() => void load.stop());
  await withRegistry(env, async (client) => {
    for (const uuid of (await client.children(paths.machines)).children) await wipe(client, paths.machine(uuid));
  });
  await env.until('it is noticed', ({ alarms }) => alarms.some(({ code }) => code === 'LEDGER_LOST'));
  const readmitted = async () => (await eventKinds(env)).filter((kind) => kind === 'machine.readmitted').length;
  await until('all are in the ledger again', async () => (await readmitted()) >= before.length, patienceMs);
  const after = await env.until('as declared', settled);
  t.deepEqual(errorAnswers(await load.stop()), [], 'traffic goes on');
  t.true(machinesOf(after).filter((machine) => before.includes(machine)).length >= before.length - 1);
  t.false((await eventKinds(env)).includes('machine.adopted'), 'none is taken for an orphan');
});

test.serial('everything killed at once, then up: it ends as declared, and says so only when it is', async (t) => {
  t.timeout(180_000);
  const env = environment();
  await env.until('as declared', settled);
  const master = findMaster(gatewayPaths(statePaths(env.dir).gateway));
  const all = processesMarked(`MCP_DAEMON_OF=${env.dir}`).map(({ pid }) => pid);
  for (const pid of [...all, ...(master === null ? [] : workersOf(master).map((worker) => worker.pid))]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It went with another one.
    }
  }
  const up = await runMcp(['up', '--state', env.dir, '--json']);
  t.is(up.code, 0, up.stderr);
  t.true(await serves(env), 'what it calls served is served');
  const again = await runMcp(['up', '--state', env.dir, '--json']);
  t.is(again.code, 0, again.stderr);
});

test.serial('a wiped registry: the controller halts, all serves on, and up sets it up anew (fault 19)', async (t) => {
  t.timeout(180_000);
  const env = environment();
  const load = startLoad(env.url, targets, { clients: 3, pauseMs: 20 });
  t.teardown(() => void load.stop());
  await env.until('as declared', settled);
  const { machines } = JSON.parse((await env.mcp('machines', '--json')).stdout) as {
    machines: { machine: string; state: string }[];
  };
  const kept = machines.filter(({ state }) => state === 'ready' || state === 'claimed');
  await withRegistry(env, (client) => wipe(client, '/'));
  await pause(2 * sessionTimeoutMs);
  for (const words of [['status'], ['apply', '-f', `${examples}hosting.yaml`], ['scale', 'dns', '1']]) {
    const { stderr } = await env.mcpFails(1, ...words);
    t.regex(stderr, /CLUSTER_MISMATCH/, words.join(' '));
  }
  t.deepEqual(errorAnswers(await load.stop()), [], 'traffic goes on');
  t.true(kept.length > 0);
  for (const { machine } of kept)
    t.true(processesMarked(`MCP_MACHINE=${machine}`).length > 0, 'no machine was destroyed');
  // A minute long: the machines of the registry that is gone leave one by one.
  if (process.env.MCP_ALL !== '1') return;
  const up = await runMcp(['up', '--state', env.dir, '--json']);
  t.is(up.code, 0, up.stderr);
  t.true(await serves(env));
});

async function wipe(client: RegistryClient, path: string): Promise<void> {
  const { children } = await client.children(path);
  for (const name of children) await wipe(client, `${path === '/' ? '' : path}/${name}`);
  // What others keep making anew below it goes in a later round.
  if (path !== '/') await client.delete(path, -1).catch(() => wipe(client, path).catch(() => {}));
}
