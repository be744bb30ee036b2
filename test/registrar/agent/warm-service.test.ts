/** A service that runs before its machine is anybody's, without a virtual machine around it. */
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { HostSide } from '../../../registrar/agent/host-side.ts';
import { leftovers } from '../../../registrar/agent/leftovers.ts';
import { type WarmOrder, WarmService } from '../../../registrar/agent/warm-service.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { AgentWorldForTest } from '../../helpers/agent-world.ts';
import { eventually } from '../../helpers/eventually.ts';

/** Tells who it is; sick as soon as it was told to be. */
const script = `
const { createServer } = require('node:http');
const { existsSync, readFileSync } = require('node:fs');
const { MCP_IDENTITY_FILE: file, MCP_IN_TEMPLATE: inTemplate, PORT, ADDRESS } = process.env;
let status = 200;
createServer((request, reply) => {
  if (request.url === '/sick') status = 503;
  reply.statusCode = status;
  const identity = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  reply.end(JSON.stringify({ pid: process.pid, identity, inTemplate: inTemplate !== undefined }));
}).listen(Number(PORT), ADDRESS);
`;

async function setUp(t: ExecutionContext, changes: Partial<WarmOrder> = {}) {
  const registry = new FakeRegistry({ clock: systemClock });
  const world = await AgentWorldForTest.make(t, registry.connect);
  const version = await world.version({ artifact: undefined, command: ['node', '-e', script] });
  const dir = join(world.dir, 'machine');
  const url = 'http://127.0.0.1:1';
  const host = new HostSide({ url, pass: 'nobody-asks-for-it', bindAddress: '127.0.0.1', gateway: '127.0.0.1' });
  const order = { template: 'a-template', service: 'demo', version, config: {}, ...changes };
  const voice = { write: () => {} };
  const signal = new AbortController().signal;
  const start = () => WarmService.start({ order, dir, host, clock: systemClock, voice, signal });
  const ask = async () => JSON.parse(await world.ask('/'));
  return { world, version, dir, start, ask };
}

test('the service goes on where it is assigned, and knows who it is only then', async (t) => {
  const { world, version, start, ask } = await setUp(t);
  const warm = await start();
  const before = await ask();
  t.like(before, { identity: null, inTemplate: true });
  world.startAgent({}, { warm });
  t.is((await world.phase('idle')).template, 'a-template');
  await world.assign({ version });
  await world.registered('up');
  const record = await world.phase('serving');
  t.like(record, { starts: 0, warm: true, template: undefined });
  const identity = { machine: world.uuid, address: '127.0.0.1', service: 'demo', version: '1.0.0' };
  t.deepEqual(await ask(), { ...before, identity });
});

test('where something else is assigned, or the configuration is another, it ends and the right one starts', async (t) => {
  for (const change of [{ service: 'other' }, { config: { level: 1 } }]) {
    const { world, version, start, ask } = await setUp(t, change);
    const warm = await start();
    const { pid } = await ask();
    world.startAgent({}, { warm });
    await world.assign({ version });
    await world.registered('up');
    await eventually('it says so', async () => (await world.agentRecord())?.starts === 1);
    const after = await ask();
    t.not(after.pid, pid);
    t.like(after, { inTemplate: false, identity: { machine: world.uuid } });
  }
});

test('one that is sick when it is adopted is started anew', async (t) => {
  const { world, version, start, ask } = await setUp(t);
  const warm = await start();
  const { pid } = await ask();
  await world.ask('/sick');
  world.startAgent({}, { warm });
  await world.assign({ version });
  await world.registered('up');
  await eventually('it says so', async () => (await world.agentRecord())?.starts === 1);
  t.not((await ask()).pid, pid);
});

test('one that ends while it waits is none any more', async (t) => {
  const { world, start, ask } = await setUp(t);
  const warm = await start();
  world.startAgent({}, { warm });
  await eventually('it waits', async () => (await world.phase('idle')).template === 'a-template');
  process.kill((await ask()).pid, 'SIGKILL');
  await eventually('it is told', async () => (await world.phase('idle')).template === undefined);
  t.false(warm.lives);
});

test('one that ends as it starts fails with its reason and leaves nothing', async (t) => {
  const { world } = await setUp(t);
  const version = await world.version({ artifact: undefined, command: ['node', '-e', 'process.exit(4)'] });
  const { start, dir } = await setUp(t, { version });
  await t.throwsAsync(start(), { code: 'WARM_UP_FAILED', message: /exited with code 4/ });
  t.deepEqual(await leftovers(null, dir), []);
});
