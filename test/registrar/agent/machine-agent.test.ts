import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { RegistryAccess } from '../../../registrar/access.ts';
import { leftovers } from '../../../registrar/agent/leftovers.ts';
import { MachineRights } from '../../../registrar/agent/machine-rights.ts';
import { runMachineAgent } from '../../../registrar/agent/main.ts';
import { paths } from '../../../registrar/layout.ts';
import type { ConnectRegistry, RegistryClient } from '../../../registrar/registry-client.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { AgentWorldForTest, clusterId } from '../../helpers/agent-world.ts';
import { eventually } from '../../helpers/eventually.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { startZooKeeper, type TestZooKeeper } from '../../helpers/zookeeper.ts';

let server: TestZooKeeper;
let registry: string;

test.before(async () => {
  server = await startZooKeeper();
  registry = `${server.connectString}/mcp`;
});

test.after.always(() => server?.stop());

const connect = (options?: { signal?: AbortSignal }): Promise<RegistryClient> =>
  connectZooKeeper(registry, { ...options, sessionTimeoutMs: 4_000 });

/** The registry of an environment with a credential, and a machine in it that has rights of its own. */
async function secured(t: ExecutionContext) {
  const rights = new RegistryAccess('mcp:secret');
  const path = `${server.connectString}/secured`;
  const owner = { auth: [{ scheme: 'digest', auth: 'mcp:secret' }], aclOf: rights.aclOf };
  const world = await AgentWorldForTest.make(t, (options) => connectZooKeeper(path, { ...options, ...owner }));
  for (const node of [paths.service('demo'), paths.version('demo', '1.0.0')]) await world.admin.create(node);
  const access = rights.machine(world.uuid);
  const own = new MachineRights(world.uuid, access);
  const how = { auth: access.auth, aclOf: own.acl, sessionTimeoutMs: 4_000 };
  const open: ConnectRegistry = (options) => connectZooKeeper(path, { ...options, ...how });
  return { world, start: () => world.startAgent({}, { open, rights: own }), key: rights.serviceKey('demo') };
}

async function unsecured(t: ExecutionContext) {
  const world = await AgentWorldForTest.make(t, connect);
  return { world, start: () => world.startAgent(), key: undefined };
}

for (const [what, make] of [
  ['', unsecured],
  [', with no rights but its own', secured],
] as const) {
  test.serial(`on a real ZooKeeper${what}: assigned, serving, unhealthy, killed, drained, stopped`, async (t) => {
    const { world, start, key } = await make(t);
    await world.publishConfig({ level: 1 });
    const agent = start();
    await world.phase('idle');
    await world.assign({ key });
    const first = await world.registered('up');
    t.is(first.stat.ephemeralOwner, world.clients[0]?.sessionId ?? null);
    await world.ask('/break');
    await world.unregistered();
    t.regex((await world.phase('unhealthy')).reason, /status 503/);
    await world.ask('/heal');
    const second = await world.registered('up');
    process.kill(Number(await world.ask('/pid')), 'SIGKILL');
    await eventually('registered again', async () => {
      const found = await world.registration();
      return found && found.stat.czxid > second.stat.czxid;
    });
    await world.publishConfig({ level: 2 }, 2);
    await eventually('restarted with the new configuration', async () => {
      const env = await world.ask('/env').catch(() => '{}');
      return JSON.parse(env).MCP_CONFIG_LEVEL === '2';
    });
    await world.phase('serving');
    await world.registered('up');
    await world.assign({ want: 'drain' });
    await world.registered('draining');
    await world.assign({ want: 'stop' });
    await world.phase('stopped');
    t.is(await world.registration(), null);
    t.deepEqual(await leftovers(world.uuid), []);
    await agent.leave();
    t.is(await world.agentRecord(), null);
  });
}

test.serial(
  'on a real ZooKeeper that was away for longer than a session, the service goes on and is registered anew',
  async (t) => {
    const world = await AgentWorldForTest.make(t, connect);
    world.startAgent();
    await world.assign();
    await world.registered('up');
    const pid = await world.ask('/pid');
    const old = world.clients[0]?.sessionId;
    server.pause();
    t.teardown(async () => server.resume());
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    t.is(await world.ask('/pid'), pid);
    server.resume();
    const admin = await connect();
    t.teardown(() => admin.close());
    const owner = await eventually(
      'owned by the live session',
      async () => {
        const stat = await admin.exists(world.registrationPath());
        const live = world.clients.at(-1);
        return stat && live?.state === 'connected' && stat.ephemeralOwner === live.sessionId && stat.ephemeralOwner;
      },
      30_000,
    );
    t.truthy(owner);
    t.log(owner === old ? 'the session survived the pause' : 'the session was replaced');
    t.is(await world.ask('/pid'), pid);
  },
);

test.serial(
  'a machine’s agent as a process of its own joins, logs to its folder, drains on SIGTERM and leaves nothing',
  async (t) => {
    const world = await AgentWorldForTest.make(t, connect);
    const dir = join(world.dir, 'machine');
    await mkdir(dir, { recursive: true });
    const config = { uuid: world.uuid, address: world.address, registry, clusterId, dir, sessionTimeoutMs: 4_000 };
    const file = join(world.dir, 'agent-config.json');
    await writeFile(file, JSON.stringify(config));
    const main = new URL('../../../registrar/agent/main.ts', import.meta.url).href;
    const code = `
    import { runMachineAgent } from ${JSON.stringify(main)};
    const leaving = new AbortController();
    process.on('SIGTERM', () => leaving.abort(new Error('SIGTERM')));
    await runMachineAgent(process.argv[1], { signal: leaving.signal });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    t.teardown(async () => {
      child.kill('SIGKILL');
      for (const pid of await leftovers(world.uuid)) process.kill(pid, 'SIGKILL');
    });
    await world.assign();
    await world.registered('up');
    const env = JSON.parse(await world.ask('/env'));
    t.is(env.MCP_MACHINE, world.uuid);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    t.deepEqual(await gone, [0, null], output);
    t.is(await world.registration(), null);
    t.deepEqual(await leftovers(world.uuid), []);
    const lines = (await readFile(join(dir, 'agent.log'), 'utf8')).trim().split('\n');
    t.true(lines.map((line) => JSON.parse(line).msg).includes('service started'));
  },
);

test('an agent’s configuration that makes no sense is refused with what is wrong', async (t) => {
  const file = join(await tempDir(t), 'config.json');
  const good = { uuid: 'u', address: '127.0.0.1', registry: '127.0.0.1:1/mcp', clusterId: 'c', dir: '/tmp/x' };
  for (const [text, wrong] of [
    ['', /not JSON/],
    [JSON.stringify({ ...good, address: 'localhost' }), /address/],
    [JSON.stringify({ ...good, uuid: '../x' }), /uuid/],
    [JSON.stringify({ ...good, dir: 'relative' }), /dir/],
  ] as const) {
    await writeFile(file, text);
    const error = await t.throwsAsync(runMachineAgent(file, { signal: AbortSignal.abort() }), {
      code: 'AGENT_BAD_CONFIG',
    });
    t.regex(error?.message ?? '', wrong);
  }
});
