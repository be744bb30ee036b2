import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { minimalImage } from '../../../vm-factory/image/bake-minimal.ts';
import { AgentWorldForTest, clusterId } from '../../helpers/agent-world.ts';
import { sha256 } from '../../helpers/make-tar.ts';
import { bakedImage, noQemu, qemuBench } from '../../helpers/qemu-machines.ts';
import { until } from '../../helpers/until.ts';
import { startZooKeeper, type TestZooKeeper } from '../../helpers/zookeeper.ts';

/** Tells of itself, and kills its agent when asked. */
const serviceSource = `
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
createServer((request, reply) => {
  if (request.url === '/kill-agent') process.kill(process.ppid, 'SIGKILL');
  const { ADDRESS, MCP_ADDRESS, MCP_MACHINE } = process.env;
  reply.end(JSON.stringify({ ADDRESS, MCP_ADDRESS, MCP_MACHINE, pid: process.pid, now: Date.now(), random: randomBytes(16).toString('hex') }));
}).listen(Number(process.env.PORT), process.env.ADDRESS);
`;

let server: TestZooKeeper;

if (noQemu) test.skip(`virtual machines serve: not run, ${noQemu}`, () => {});
else {
  test.before(async (t) => {
    t.timeout(600_000);
    server = await startZooKeeper();
    await bakedImage();
  });
  test.after.always(() => server?.stop());

  test.serial(
    'two clones of one template serve at addresses of their own and share nothing that should be theirs',
    async (t) => {
      const { dir, registry, provider, world, connect } = await setUp(t);
      const other = await AgentWorldForTest.make(t, connect);
      const machines = await Promise.all(
        [world, other].map(async ({ uuid }) =>
          provider.create({ uuid, operation: randomUUID(), clusterId, image: minimalImage, registry }),
        ),
      );
      const said = await Promise.all(
        [world, other].map(async (one, at) => {
          const address = machines[at]?.address ?? '';
          one.address = address;
          await one.assign({ version: await version(one, dir) });
          const { record } = await one.registered('up');
          t.is(record.address, address);
          return JSON.parse(await one.ask('/'));
        }),
      );
      for (const [at, one] of said.entries()) {
        t.like(one, { ADDRESS: '10.0.2.15', MCP_ADDRESS: machines[at]?.address, MCP_MACHINE: machines[at]?.uuid });
        t.true(Math.abs(one.now - Date.now()) < 10_000, `the guest's clock says ${new Date(one.now).toISOString()}`);
      }
      const different = <T>(values: T[]) => t.is(new Set(values).size, 2, String(values));
      different(said.map(({ random }) => random));
      const folders = machines.map(({ uuid }) => join(dir, 'machines', uuid, 'vm'));
      // Drawn by the agent, whose process was in the template.
      different(await Promise.all(folders.map((folder) => readlink(join(folder, 'pass')))));
      different(
        await Promise.all(
          folders.map(async (folder) => JSON.parse(await readFile(join(folder, 'grant.json'), 'utf8')).token),
        ),
      );
      different(await Promise.all([world, other].map(async (one) => (await one.registration())?.stat.ephemeralOwner)));
    },
  );

  test.serial('an agent that dies is started again and knows who it is', async (t) => {
    const { dir, registry, provider, world } = await setUp(t);
    const machine = await provider.create({
      uuid: world.uuid,
      operation: randomUUID(),
      clusterId,
      image: minimalImage,
      registry,
    });
    world.address = machine.address ?? '';
    await world.assign({ version: await version(world, dir) });
    const first = await world.registered('up');
    const pass = await readlink(join(dir, 'machines', machine.uuid, 'vm', 'pass'));
    await world.ask('/kill-agent').catch(() => {});
    await until(
      'it is registered by a new session',
      async () => {
        const owner = (await world.registration())?.stat.ephemeralOwner;
        return owner !== undefined && owner !== first.stat.ephemeralOwner;
      },
      150_000,
    );
    t.is(JSON.parse(await world.ask('/')).MCP_MACHINE, machine.uuid);
    t.is(await readlink(join(dir, 'machines', machine.uuid, 'vm', 'pass')), pass);
    t.is((await provider.find(machine.operation))?.state, 'running');
  });
}

async function setUp(t: ExecutionContext) {
  t.timeout(400_000);
  const registry = `${server.connectString}/mcp`;
  const connect = () => connectZooKeeper(registry, { sessionTimeoutMs: 10_000 });
  const world = await AgentWorldForTest.make(t, connect);
  const { dir, open } = await qemuBench(t);
  const artifacts = join(dir, 'artifacts');
  await mkdir(artifacts, { recursive: true });
  return { dir, registry, world, connect, provider: open({ clusterId, artifacts, sessionTimeoutMs: 10_000 }) };
}

/** The service, kept as the environment's artifacts are. */
async function version(world: AgentWorldForTest, dir: string) {
  const digest = sha256(Buffer.from(serviceSource));
  await writeFile(join(dir, 'artifacts', `${digest}.mjs`), serviceSource);
  const artifact = { url: 'file:///only/the/host/has/this/service.mjs', sha256: digest };
  return world.version({
    artifact,
    health: { kind: 'http', path: '/', intervalMs: 200, timeoutMs: 2_000, rise: 1, fall: 3 },
  });
}
