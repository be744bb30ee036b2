/** Machines cloned with their service already started, on real QEMU: one environment for all of it. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { WarmOrder } from '../../../registrar/agent/warm-service.ts';
import { isSameProcess, type ProcessIdentity, readStartTime } from '../../../registrar/process-identity.ts';
import type { Version } from '../../../specs/nouns.ts';
import { minimalImage } from '../../../vm-factory/image/bake-minimal.ts';
import type { QemuProvider } from '../../../vm-factory/qemu/qemu-provider.ts';
import { AgentWorldForTest, clusterId } from '../../helpers/agent-world.ts';
import { machineBench, registryForMachines } from '../../helpers/machine-registry.ts';
import { sha256 } from '../../helpers/make-tar.ts';
import { noQemu } from '../../helpers/qemu-machines.ts';
import { until } from '../../helpers/until.ts';
import type { TestZooKeeper } from '../../helpers/zookeeper.ts';

/** Draws random numbers before it serves, as many do, and tells what it learns and when. */
const serviceSource = `
import { createServer } from 'node:http';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
const draw = () => [Math.random(), randomUUID(), crypto.randomUUID(), randomInt(2 ** 40), randomBytes(8).toString('hex')];
draw();
console.log('service started, knows who it is: ' + existsSync(process.env.MCP_IDENTITY_FILE));
let told = 0;
process.on('SIGUSR2', () => { told += 1; });
createServer((request, reply) => {
  const { MCP_IDENTITY_FILE: file, NAME, PORT } = process.env;
  const identity = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  reply.end(JSON.stringify({ NAME, told, identity, drawn: draw(), pid: process.pid, now: Date.now() }));
}).listen(Number(process.env.PORT), process.env.ADDRESS);
`;

let server: () => TestZooKeeper;

if (noQemu) test.skip(`services are started in templates: not run, ${noQemu}`, () => {});
else {
  server = registryForMachines(test);

  test.serial(
    'clones of a service template serve without a start, and share nothing but what was read-only',
    async (t) => {
      const { dir, registry, provider, world, connect, version } = await setUp(t);
      const other = await AgentWorldForTest.make(t, connect);
      const order = orderOf(version, { signal: 'SIGUSR2' });
      await made(provider, order);
      const templates = await readdir(join(dir, 'templates'));
      const console = await readFile(join(dir, 'templates', templates[0] ?? '', 'console.log'), 'utf8');
      t.is(console.match(/service: service started, knows who it is: false/g)?.length, 1);
      const machines = await Promise.all(
        [world, other].map(async (one) => {
          const asked = { uuid: one.uuid, operation: randomUUID(), clusterId, image: minimalImage, registry };
          const machine = await provider.create({ ...asked, template: order.template });
          one.address = machine.address ?? '';
          return machine;
        }),
      );
      for (const one of [world, other]) t.is((await one.phase('idle')).template, order.template);
      const said = await Promise.all(
        [world, other].map(async (one) => {
          await one.assign({ version });
          await one.registered('up');
          const record = await one.phase('serving');
          t.is(record.starts, 0);
          t.true(record.warm);
          const reply = await fetch(`http://${one.address}:${version.port}/`, { signal: AbortSignal.timeout(5_000) });
          return JSON.parse(await reply.text());
        }),
      );
      const different = <T>(values: T[]) => t.is(new Set(values).size, 2, String(values));
      for (const [at, one] of said.entries()) {
        const { uuid = '', address = '' } = machines[at] ?? {};
        t.deepEqual(one.identity, { machine: uuid, address, service: 'demo', version: '1.0.0' });
        t.is(one.told, 1);
        t.true(Math.abs(one.now - Date.now()) < 600_000, new Date(one.now).toISOString());
        const shown = (await provider.console(uuid, null))?.text ?? '';
        t.true(shown.includes('service adopted'));
        t.false(shown.includes('service started'));
      }
      t.is(said[0].pid, said[1].pid);
      for (const at of said[0].drawn.keys()) different(said.map(({ drawn }) => drawn[at]));
      const folders = machines.map(({ uuid }) => join(dir, 'machines', uuid, 'vm'));
      different(await Promise.all(folders.map((folder) => readlink(join(folder, 'pass')))));
      different(
        await Promise.all(
          folders.map(async (one) => JSON.parse(await readFile(join(one, 'grant.json'), 'utf8')).token),
        ),
      );
      different(await Promise.all([world, other].map(async (one) => (await one.registration())?.stat.ephemeralOwner)));
    },
  );

  test.serial(
    'without a whole template, and where something else is assigned, a machine is as any other',
    async (t) => {
      const { dir, registry, provider, world, connect, version } = await setUp(t);
      const order = orderOf(version, { config: { LEVEL: 2 } });
      await made(provider, order);
      const create = async (one: AgentWorldForTest) => {
        const asked = { uuid: one.uuid, operation: randomUUID(), clusterId, image: minimalImage, registry };
        one.address = (await provider.create({ ...asked, template: order.template })).address ?? '';
      };
      // It holds the service with another configuration than the registry has: that is started anew.
      await create(world);
      t.is((await world.phase('idle')).template, order.template);
      await world.assign({ version });
      await world.registered('up');
      const restarted = await world.phase('serving');
      t.is(restarted.starts, 1);
      t.false(restarted.warm ?? false);
      // As large as before: only who loads it notices.
      const [folder = ''] = await readdir(join(dir, 'templates'));
      const stateFile = join(dir, 'templates', folder, 'state');
      await writeFile(stateFile, Buffer.alloc((await stat(stateFile)).size, 'nonsense'));
      const other = await AgentWorldForTest.make(t, connect);
      await create(other);
      t.is((await other.phase('idle')).template, undefined);
      t.deepEqual(await readdir(join(dir, 'templates')), [], 'it was put away');
      // One that can't be healthy is no template, and says why; what nobody wants is gone.
      const broken = orderOf({ ...version, command: ['node', '-e', 'process.exit(4)'] });
      const state = async () =>
        (await provider.keepTemplates([{ order: broken, image: minimalImage }], true))[broken.template];
      await until('it failed', async () => (await state())?.state === 'failed', 120_000);
      t.regex((await state())?.reason ?? '', /exited with code 4/);
      t.deepEqual(await readdir(join(dir, 'templates-staging')), []);
    },
  );

  test.serial('what a killed maker of a template left is ended, and the template is made by another', async (t) => {
    const { dir, open, version } = await setUp(t);
    const order = orderOf(version, { signal: 'SIGHUP' });
    const abandoned = join(dir, 'templates-staging', '1.1.1.abandoned');
    const provider = open({ clusterId, artifacts: join(dir, 'artifacts') });
    await mkdir(abandoned);
    const stray = strayIn(t, abandoned);
    await symlink(`${stray.pid}:${stray.startTime}`, join(abandoned, 'process'));
    await made(provider, order);
    t.false(isSameProcess(stray));
    t.deepEqual(await readdir(join(dir, 'templates-staging')), []);
    await provider.keepTemplates([], true);
    t.deepEqual(await readdir(join(dir, 'templates')), []);
  });
}

const setUp = (t: ExecutionContext) => machineBench(t, server(), serviceSource);

function orderOf(version: Version, changes: Partial<WarmOrder> = {}): WarmOrder {
  const order = { service: 'demo', version, config: {}, ...changes };
  return { template: sha256(Buffer.from(JSON.stringify(order))).slice(0, 16), ...order };
}

/** Resolves when the template is there. */
async function made(provider: QemuProvider, order: WarmOrder): Promise<void> {
  await until(
    'the template is made',
    async () => {
      const state = (await provider.keepTemplates([{ order, image: minimalImage }], true))[order.template];
      if (state?.state === 'failed') throw new Error(state.reason);
      return state?.state === 'ready';
    },
    120_000,
  );
}

/** A process as a virtual machine of a dead maker's. */
function strayIn(t: ExecutionContext, folder: string): ProcessIdentity {
  const child = spawn('sleep', ['600'], { cwd: folder, detached: true, stdio: 'ignore' });
  t.teardown(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  return { pid, startTime: readStartTime(pid) ?? 0 };
}
