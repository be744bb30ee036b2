import { randomUUID } from 'node:crypto';
import { readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { minimalImage } from '../../../vm-factory/image/bake-minimal.ts';
import { AgentWorldForTest, clusterId } from '../../helpers/agent-world.ts';
import { machineBench, registryForMachines } from '../../helpers/machine-registry.ts';
import { noQemu } from '../../helpers/qemu-machines.ts';
import { until } from '../../helpers/until.ts';
import type { TestZooKeeper } from '../../helpers/zookeeper.ts';

/** Tells of itself, and kills its agent when asked. */
const serviceSource = `
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statfsSync, writeFileSync } from 'node:fs';
const random = (bytes) => {
  const file = openSync('/dev/urandom');
  const read = Buffer.alloc(bytes);
  readSync(file, read);
  closeSync(file);
  return read;
};
createServer((request, reply) => {
  if (request.url === '/kill-agent') process.kill(process.ppid, 'SIGKILL');
  const { ADDRESS, MCP_ADDRESS, MCP_MACHINE } = process.env;
  const { HOME } = process.env;
  const { blocks, bsize } = statfsSync(HOME);
  let full = null;
  try {
    if (request.url === '/fill') for (let n = 0; ; n++) writeFileSync(HOME + '/filling', Buffer.alloc(1024 ** 2), { flag: 'a' });
  } catch (error) {
    full = error.code;
  }
  reply.end(JSON.stringify({
    ADDRESS, MCP_ADDRESS, MCP_MACHINE, full,
    pid: process.pid,
    now: Date.now(),
    disk: blocks * bsize,
    random: randomBytes(16).toString('hex'),
    kernel: random(16).toString('hex'),
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    loose: Math.random(),
  }));
}).listen(Number(process.env.PORT), process.env.ADDRESS);
`;

/** Not the usual size, and a disk. */
const flavor = { memoryBytes: 208 * 1024 ** 2, cpus: 1, diskBytes: 24 * 1024 ** 2 };

let server: () => TestZooKeeper;

if (noQemu) test.skip(`virtual machines serve: not run, ${noQemu}`, () => {});
else {
  server = registryForMachines(test);

  test.serial(
    'two clones of one template serve at addresses of their own, with disks of their own, and share nothing that is theirs',
    async (t) => {
      const { dir, registry, provider, world, connect, version } = await setUp(t);
      const other = await AgentWorldForTest.make(t, connect);
      await provider.prepare(minimalImage, flavor);
      const machines = await Promise.all(
        [world, other].map(async ({ uuid }) =>
          provider.create({ uuid, operation: randomUUID(), clusterId, image: minimalImage, flavor, registry }),
        ),
      );
      const said = await Promise.all(
        [world, other].map(async (one, at) => {
          const address = machines[at]?.address ?? '';
          one.address = address;
          const { artifact, health } = version;
          await one.assign({ version: await one.version({ artifact, health }) });
          const { record } = await one.registered('up');
          t.is(record.address, address);
          const answer = JSON.parse(await one.ask('/'));
          return { ...answer, askedAt: Date.now() };
        }),
      );
      for (const [at, one] of said.entries()) {
        t.like(one, { ADDRESS: '10.0.2.15', MCP_ADDRESS: machines[at]?.address, MCP_MACHINE: machines[at]?.uuid });
        t.true(Math.abs(one.now - one.askedAt) < 10_000, `the guest's clock says ${new Date(one.now).toISOString()}`);
      }
      const different = <T>(values: T[]) => t.is(new Set(values).size, 2, String(values));
      for (const name of ['random', 'kernel', 'boot', 'loose']) different(said.map((one) => one[name]));
      for (const { disk } of said) t.true(disk > 16 * 1024 ** 2 && disk < 24 * 1024 ** 2, `${disk} bytes`);
      const folders = machines.map(({ uuid }) => join(dir, 'machines', uuid, 'vm'));
      // Drawn by the agent, whose process was in the template.
      different(await Promise.all(folders.map((folder) => readlink(join(folder, 'pass')))));
      different(
        await Promise.all(
          folders.map(async (folder) => JSON.parse(await readFile(join(folder, 'grant.json'), 'utf8')).token),
        ),
      );
      different(await Promise.all([world, other].map(async (one) => (await one.registration())?.stat.ephemeralOwner)));
      // The disk of one is full: it goes on, and the other's is its own.
      const full = async () => JSON.parse(await world.ask('/fill').catch(() => '{}')).full === 'ENOSPC';
      await until('its disk is full', full, 60_000);
      t.is((await world.agentRecord())?.phase, 'serving');
      t.like(await provider.find(machines[0]?.operation ?? ''), { state: 'running' });
      for (const folder of folders) t.true((await stat(join(folder, 'work.qcow2'))).size > 0);
    },
  );

  test.serial('an agent that dies is started again and knows who it is', async (t) => {
    const { dir, registry, provider, world, version } = await setUp(t);
    const machine = await provider.create({
      uuid: world.uuid,
      operation: randomUUID(),
      clusterId,
      image: minimalImage,
      registry,
    });
    world.address = machine.address ?? '';
    await world.assign({ version });
    const first = await world.registered('up');
    const pass = await readlink(join(dir, 'machines', machine.uuid, 'vm', 'pass'));
    await world.ask('/kill-agent').catch(() => {});
    t.teardown(async () =>
      t.log(await readFile(join(dir, 'machines', machine.uuid, 'vm', 'console.log'), 'utf8').catch(() => '')),
    );
    await until(
      'it is registered by a new session',
      async () => {
        const owner = (await world.registration())?.stat.ephemeralOwner;
        return owner !== undefined && owner !== first.stat.ephemeralOwner;
      },
      300_000,
    );
    t.is(JSON.parse(await world.ask('/')).MCP_MACHINE, machine.uuid);
    t.is(await readlink(join(dir, 'machines', machine.uuid, 'vm', 'pass')), pass);
    t.is((await provider.find(machine.operation))?.state, 'running');
  });
}

const setUp = (t: ExecutionContext) => machineBench(t, server(), serviceSource);
