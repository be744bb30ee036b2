import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ava, { type ExecutionContext } from 'ava';
import { leftovers } from '../../../registrar/agent/leftovers.ts';
import { paths } from '../../../registrar/layout.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { judgeSelfTest } from '../../../vm-factory/pool/judge-self-test.ts';
import { AgentWorldForTest } from '../../helpers/agent-world.ts';
import { eventually } from '../../helpers/eventually.ts';

// One after the other: each starts processes, and a crowd of them would only slow all down.
const test = ava.serial;

async function makeWorld(t: ExecutionContext) {
  const registry = new FakeRegistry({ clock: { now: () => Date.now() } });
  const world = await AgentWorldForTest.make(t, registry.connect);
  const live = () => {
    const client = world.clients.at(-1);
    if (!client) throw new Error('the agent has no client yet');
    return client;
  };
  return { registry, world, live };
}

/** The service has ended: nothing the machine's agent started is left. */
const nothingRuns = (world: AgentWorldForTest) =>
  eventually('nothing runs', async () => (await leftovers(world.uuid)).length === 0);

test('an agent without an assignment says that it is idle', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  const record = await world.phase('idle');
  t.is(record.machine, world.uuid);
});

test('an assignment is fetched, started, checked and registered under the machine’s own address', async (t) => {
  const { world, live } = await makeWorld(t);
  await world.publishConfig({ maxAge: 60, 'log-level': 'debug' });
  world.startAgent();
  await world.phase('idle');
  const { version } = await world.assign();
  const { record, stat } = await world.registered('up');
  t.like(record, {
    schema: 1,
    service: 'demo',
    version: '1.0.0',
    machine: world.uuid,
    address: '127.0.0.1',
    port: world.port,
    document: '/openapi.json',
    digest: version.digest,
  });
  t.is(stat.ephemeralOwner, live().sessionId);
  t.like(await world.phase('serving'), { service: 'demo', version: '1.0.0', starts: 1, reason: '' });
});

test('an agent says why a gateway leaves its registration out, as long as it does and as it is about this registration', async (t) => {
  const { world, registry } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  await world.registered('up');
  const gateway = await registry.connect();
  const word = {
    machine: world.uuid,
    path: `/services/demo/1.0.0/${world.uuid}`,
    reason: 'port',
    gateway: 'g1',
    at: 0,
  };
  const path = paths.quarantine(world.uuid);
  await gateway.create(path, JSON.stringify(word), { mode: 'ephemeral' });
  const reasonIs = (reason: string) =>
    eventually(`reason ${reason}`, async () => (await world.phase('serving')).reason === reason);
  await reasonIs('left out by g1: port');
  await gateway.set(path, JSON.stringify({ ...word, path: '/services/other/1/x' }));
  await reasonIs('');
  await gateway.set(path, JSON.stringify(word));
  await reasonIs('left out by g1: port');
  await gateway.set(path, 'nonsense');
  await reasonIs('');
  await gateway.set(path, JSON.stringify(word));
  await reasonIs('left out by g1: port');
  await gateway.close();
  await reasonIs('');
  t.pass();
});

test('the service sees its own environment and configuration, and nothing of the agent’s', async (t) => {
  process.env.AGENT_SECRET = 'not for services';
  const { world } = await makeWorld(t);
  await world.publishConfig({ maxAge: 60, 'log-level': 'debug' });
  world.startAgent();
  await world.assign();
  await world.registered('up');
  const env: Record<string, string> = JSON.parse(await world.ask('/env'));
  t.deepEqual(Object.keys(env).sort(), [
    'ADDRESS',
    'GREETING',
    'HOME',
    'HOST',
    'LANG',
    'MCP_ADDRESS',
    'MCP_CONFIG_FILE',
    'MCP_CONFIG_LOG_LEVEL',
    'MCP_CONFIG_MAX_AGE',
    'MCP_IDENTITY_FILE',
    'MCP_MACHINE',
    'MCP_SERVICE',
    'MCP_STARTED_BY',
    'MCP_VERSION',
    'PATH',
    'PORT',
    'TMPDIR',
  ]);
  t.like(env, { GREETING: 'hello', MCP_CONFIG_MAX_AGE: '60', MCP_CONFIG_LOG_LEVEL: 'debug', HOST: '127.0.0.1' });
  t.deepEqual(JSON.parse(await world.ask('/config')), { maxAge: 60, 'log-level': 'debug' });
});

test('an unhealthy instance is deregistered with its reason and comes back when healthy', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  await world.registered('up');
  await world.ask('/break');
  await world.unregistered();
  const { reason } = await world.phase('unhealthy');
  t.regex(reason, /health check failed: GET http:\/\/127\.0\.0\.1:\d+\/healthz: status 503/);
  await world.ask('/heal');
  await world.registered('up');
  t.is((await world.phase('serving')).starts, 1);
});

test('a killed service is deregistered at once, started again and registered again', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  const before = await world.registered('up');
  process.kill(Number(await world.ask('/pid')), 'SIGKILL');
  await eventually('a new registration', async () => {
    const found = await world.registration();
    return found && found.stat.czxid > before.stat.czxid;
  });
  t.is((await world.phase('serving')).starts, 2);
});

test('a service that crashes again and again is called failed with its last words, and still tried', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  const command = ['node', '-e', 'console.error("no database"); process.exit(7)'];
  await world.assign({ version: await world.version({ command }) });
  const blank: string[] = [];
  await eventually('failed', async () => {
    const record = await world.agentRecord();
    const says = /^exited with code 7; its last output:\nno database/.test(record?.ended ?? '');
    if (record && record.starts > 1 && (record.reason === '' || !says)) blank.push(JSON.stringify(record));
    return record?.phase === 'failed';
  });
  t.deepEqual(blank, [], 'while it is tried again, what went wrong last is still said');
  const { reason } = await world.phase('failed');
  t.regex(reason, /exited with code 7; its last output:\nno database/);
  const starts = (await world.phase('failed')).starts;
  await eventually('tried again', async () => ((await world.agentRecord())?.starts ?? 0) > starts);
  t.is((await world.agentRecord())?.phase, 'failed');
  t.is(await world.registration(), null);
});

test('a command that does not exist fails with its reason', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign({ version: await world.version({ command: ['./nowhere'] }) });
  t.regex((await world.phase('failed')).reason, /could not be started: .*ENOENT/);
});

test('an artifact with a wrong digest is never started', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  const version = await world.version();
  const url = version.artifact?.url ?? '';
  await world.assign({ version: { ...version, artifact: { url, sha256: '0'.repeat(64) } } });
  const record = await world.phase('failed');
  t.regex(record.reason, /not the declared one/);
  t.is(record.starts, 0);
});

test('drain keeps serving but asks for no new requests; run takes it back; stop ends the service', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  const before = await world.registered('up');
  await world.assign({ want: 'drain' });
  const draining = await world.registered('draining');
  t.is(draining.stat.czxid, before.stat.czxid);
  await world.phase('draining');
  t.is(await world.ask('/pid'), await world.ask('/pid'));
  await world.assign({ want: 'run' });
  await world.registered('up');
  t.is((await world.phase('serving')).starts, 1);
  await world.assign({ want: 'stop' });
  await world.phase('stopped');
  t.is(await world.registration(), null);
  await nothingRuns(world);
  await t.throwsAsync(world.ask('/healthz'));
});

test('a removed assignment stops the service, and the machine is idle and can be assigned again', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent({ burialGraceMs: 100 });
  await world.assign();
  await world.registered('up');
  await world.unassign();
  t.is((await world.phase('idle')).service, undefined);
  t.is(await world.registration(), null);
  await nothingRuns(world);
  await world.assign({ version: await world.version({ version: '2.0.0' }) });
  await world.registered('up', '2.0.0');
});

test('a service that ignores SIGTERM is killed after its stop timeout, children too', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  const stubborn =
    "process.on('SIGTERM', () => {}); require('node:child_process').spawn('sleep', ['300']); setInterval(() => {}, 999)";
  const version = await world.version({
    command: ['node', '-e', stubborn],
    health: { kind: 'none', intervalMs: 50, timeoutMs: 50, rise: 1, fall: 1 },
  });
  await world.assign({ version, stopTimeoutMs: 300 });
  await world.registered('up');
  await eventually('its child runs', async () => (await leftovers(world.uuid)).length === 2);
  await world.assign({ want: 'stop' });
  await world.phase('stopped');
  t.deepEqual(await leftovers(world.uuid), []);
});

test('after its session expired an agent is there again under the new session, the service untouched', async (t) => {
  const { registry, world, live } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  await world.registered('up');
  const pid = await world.ask('/pid');
  const old = live();
  registry.expire(old);
  const { stat } = await world.registered('up');
  t.not(stat.ephemeralOwner, old.sessionId);
  t.is(stat.ephemeralOwner, live().sessionId);
  t.is((await world.phase('serving')).starts, 1);
  t.is(await world.ask('/pid'), pid);
});

test('what an older session left registered is replaced, never taken for its own', async (t) => {
  const { registry, world, live } = await makeWorld(t);
  const ghost = await registry.connect();
  t.teardown(() => ghost.close());
  await world.admin.create('/services/demo', '');
  await world.admin.create('/services/demo/1.0.0', '');
  await ghost.create(world.registrationPath(), '{"state":"up","port":1}', { mode: 'ephemeral' });
  await ghost.create(paths.agent(world.uuid), '{}', { mode: 'ephemeral' });
  world.startAgent();
  await world.assign();
  await world.phase('serving');
  const { stat, record } = await world.registered('up');
  t.is(record.port, world.port);
  t.is(stat.ephemeralOwner, live().sessionId);
  await ghost.close();
  t.is((await world.registered('up')).stat.ephemeralOwner, live().sessionId);
});

test('a registration that someone deleted is made again', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  const before = await world.registered('up');
  await world.admin.delete(world.registrationPath());
  const after = await world.registered('up');
  t.true(after.stat.czxid > before.stat.czxid);
});

test('a create whose reply was lost is found again', async (t) => {
  const { registry, world, live } = await makeWorld(t);
  world.startAgent();
  await world.phase('idle');
  registry.dropNextReply(live());
  await world.assign();
  const { stat } = await world.registered('up');
  t.is(stat.ephemeralOwner, live().sessionId);
});

test('while the registry is away the service goes on and is supervised; after it, it is registered', async (t) => {
  const { registry, world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  await world.registered('up');
  const pid = Number(await world.ask('/pid'));
  registry.stop();
  process.kill(pid, 'SIGKILL');
  const again = await eventually('started again', () => world.ask('/pid').catch(() => null));
  t.not(Number(again), pid);
  registry.start();
  await world.registered('up');
  t.true(await eventually('its second start is told', async () => (await world.agentRecord())?.starts === 2));
});

test('a changed configuration restarts, signals, or leaves the service alone, as declared', async (t) => {
  const { world } = await makeWorld(t);
  await world.publishConfig({ level: 1 });
  world.startAgent();
  await world.assign({ onConfigChange: 'none' });
  await world.registered('up');
  const config = async () => JSON.parse(await world.ask('/config')).level;
  await world.publishConfig({ level: 2 }, 2);
  await eventually('the file changed', async () => (await config()) === 2);
  t.is(await world.ask('/signals'), '0');
  await world.assign({ onConfigChange: 'signal', configSignal: 'SIGHUP' });
  await world.publishConfig({ level: 3 }, 3);
  await eventually('signalled', async () => (await world.ask('/signals')) === '1');
  t.is(await config(), 3);
  const before = await world.registered('up');
  await world.assign({ onConfigChange: 'restart' });
  await world.publishConfig({ level: 4 }, 4);
  await eventually('restarted', async () => ((await world.registration())?.stat.czxid ?? 0) > before.stat.czxid);
  t.is(JSON.parse(await world.ask('/env')).MCP_CONFIG_LEVEL, '4');
  t.is((await world.phase('serving')).starts, 2);
});

test('a leaving agent announces draining, waits for every gateway, then stops the service and is gone', async (t) => {
  const { world } = await makeWorld(t);
  await world.gateway('a', 0);
  await world.gateway('b', 0);
  const agent = world.startAgent();
  await world.assign({ drainTimeoutMs: 60_000 });
  await world.registered('up');
  const left = agent.leave();
  const { stat } = await world.registered('draining');
  await world.gateway('a', stat.mzxid);
  await world.gateway('b', stat.mzxid - 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.truthy(await world.ask('/pid'), 'one gateway still has requests there');
  await world.gateway('b', stat.mzxid);
  await left;
  t.is(await world.registration(), null);
  t.is(await world.agentRecord(), null);
  await nothingRuns(world);
});

test('a gateway that never lets go holds up a leaving agent no longer than the drain timeout', async (t) => {
  const { world } = await makeWorld(t);
  await world.gateway('a', 0);
  const agent = world.startAgent();
  await world.assign({ drainTimeoutMs: 400 });
  await world.registered('up');
  await agent.leave();
  await nothingRuns(world);
  t.is(await world.registration(), null);
});

test('an agent whose machine was buried stops the service and says so', async (t) => {
  const { world } = await makeWorld(t);
  const agent = world.startAgent({ burialGraceMs: 100 });
  await world.assign({ drainTimeoutMs: 100 });
  await world.registered('up');
  await world.unassign('deleting');
  await world.loseLedger();
  await t.throwsAsync(agent.ended, { code: 'AGENT_BURIED' });
  await nothingRuns(world);
});

test('an idle machine that the ledger lost waits, and can be assigned when the ledger has it again', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent({ burialGraceMs: 50 });
  await world.phase('idle');
  await world.loseLedger();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await world.regainLedger();
  await world.phase('idle');
  await world.assign();
  t.is((await world.registered('up')).record.machine, world.uuid);
});

test('the first thing an agent tells is its self-test', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  const { selfTest } = await world.phase('idle');
  const figures = new Map(selfTest?.figures.map((figure) => [figure.name, figure]));
  t.deepEqual(
    [...figures.keys()],
    ['disk-free', 'disk-speed', 'disk-content', 'memory', 'memory-content', 'cpu', 'registry', 'clock'],
  );
  t.true([...figures.values()].every(({ value }) => value !== null));
  t.is(figures.get('disk-content')?.value, 0);
  t.true(selfTest && judgeSelfTest(selfTest).passed);
});

/** An agent that looks often and waits little, with its service registered. */
async function serving(world: AgentWorldForTest) {
  const agent = world.startAgent({ burialGraceMs: 50, resyncMs: 50 });
  let ended = false;
  agent.ended.finally(() => {
    ended = true;
  });
  await world.assign({ drainTimeoutMs: 100 });
  await world.registered('up');
  return { pid: await world.ask('/pid'), hasEnded: () => ended };
}

test('a wiped or foreign registry orders nothing: the service goes on', async (t) => {
  const { world } = await makeWorld(t);
  const { pid, hasEnded } = await serving(world);
  await world.admin.set(paths.cluster, JSON.stringify({ id: 'other', format: 1, createdAt: 0 }));
  await world.unassign();
  await world.unregistered();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.is(await world.ask('/pid'), pid);
  t.false(hasEnded());
});

test('an assignment or a ledger that vanishes without an order stops nothing', async (t) => {
  const { world } = await makeWorld(t);
  const { pid, hasEnded } = await serving(world);
  await world.loseAssignment();
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is((await world.registration())?.record.state, 'up');
  await world.loseLedger();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.is(await world.ask('/pid'), pid);
  t.is((await world.registration())?.record.state, 'up');
  t.false(hasEnded());
});

test('an agent with nothing to lose refuses a foreign registry', async (t) => {
  const { world } = await makeWorld(t);
  await world.admin.set(paths.cluster, JSON.stringify({ id: 'other', format: 1, createdAt: 0 }));
  const agent = world.startAgent({ burialGraceMs: 50 });
  await t.throwsAsync(agent.ended, { code: 'CLUSTER_MISMATCH' });
});

test('of two agents of one machine the newer goes on and the older ends', async (t) => {
  const { world } = await makeWorld(t);
  const older = world.startAgent();
  await world.phase('idle');
  world.startAgent();
  await t.throwsAsync(older.ended, { code: 'AGENT_SUPERSEDED' });
  await world.phase('idle');
});

test('an assignment that makes no sense is refused and leaves what runs alone', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  await world.registered('up');
  const pid = await world.ask('/pid');
  await world.admin.set(paths.assignment(world.uuid), '{"service":7}');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.is(await world.ask('/pid'), pid);
  await world.assign({ want: 'stop' });
  await world.phase('stopped');
});

test('what a killed agent left running is ended by the next one', async (t) => {
  const { world } = await makeWorld(t);
  const { spawn } = await import('node:child_process');
  const env = { ...process.env, MCP_MACHINE: world.uuid, MCP_STARTED_BY: 'agent' };
  const orphan = spawn('sleep', ['300'], { env });
  t.teardown(async () => void orphan.kill('SIGKILL'));
  await eventually('it runs', async () => (await leftovers(world.uuid)).length === 1);
  world.startAgent();
  await world.phase('idle');
  t.deepEqual(await leftovers(world.uuid), []);
});

test('output goes to the machine’s service log', async (t) => {
  const { world } = await makeWorld(t);
  world.startAgent();
  await world.assign();
  await world.registered('up');
  const log = join(world.dir, 'machine', 'service.log');
  await eventually('logged', async () => (await readFile(log, 'utf8').catch(() => '')).includes('listening'));
  await writeFile(log, '');
  t.pass();
});
