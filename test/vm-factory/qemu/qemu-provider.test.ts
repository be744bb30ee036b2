import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readlink, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { readStartTime } from '../../../registrar/process-identity.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { smallFlavor } from '../../../specs/flavor.ts';
import { minimalImage } from '../../../vm-factory/image/bake-minimal.ts';
import { shapeLabel } from '../../../vm-factory/qemu/command-line.ts';
import { shapeOf } from '../../../vm-factory/qemu/model.ts';
import { findTemplate } from '../../../vm-factory/qemu/template.ts';
import { mainPid, testBlock, testCluster } from '../../helpers/process-machines.ts';
import { bakedImage, noQemu, pidsBelow, qemuBench } from '../../helpers/qemu-machines.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { until } from '../../helpers/until.ts';

const maker = fileURLToPath(new URL('../../helpers/create-virtual-machine.ts', import.meta.url));

const request = () => ({
  uuid: randomUUID(),
  operation: randomUUID(),
  clusterId: testCluster,
  image: minimalImage,
  registry: '127.0.0.1:1/mcp',
});

if (noQemu) test.skip(`virtual machines are kept in stock: not run, ${noQemu}`, () => {});
else {
  test.before(async (t) => {
    t.timeout(600_000);
    await bakedImage();
  });

  test.serial('clones wait paused, are taken by any provider of the folder, and are replaced', async (t) => {
    const { dir, open } = await qemuBench(t);
    const [maker, taker] = [open({ stock: 2 }), open({ stock: 2 })];
    await maker.prepare(minimalImage);
    const spares = await readdir(join(dir, 'stock'));
    const before = pidsBelow(dir);
    t.is(spares.length, 2);
    t.is(before.length, 2);
    t.deepEqual(await maker.list(), []);
    const machine = await taker.create(request());
    t.true(before.includes(mainPid(dir, machine.uuid)));
    await until('the stock is full again', async () => {
      const now = await readdir(join(dir, 'stock'));
      return now.length === 2 && pidsBelow(dir).length === 3;
    });
    await until('it has joined', async () => (await maker.find(machine.operation))?.state === 'running');
    await maker.destroy(machine);
    await taker.prepare(minimalImage);
    await taker.emptyStock();
    await until('nothing runs any more', () => pidsBelow(dir).length === 0);
  });

  test.serial('a spare that died is not handed out, and its remains go', async (t) => {
    const { dir, open } = await qemuBench(t);
    const provider = open({ stock: 1 });
    await provider.prepare(minimalImage);
    const [spare = ''] = await readdir(join(dir, 'stock'));
    const [pid = 0] = pidsBelow(dir);
    process.kill(pid, 'SIGKILL');
    await until('it is dead', () => !pidsBelow(dir).includes(pid));
    const machine = await provider.create(request());
    t.not(mainPid(dir, machine.uuid), pid);
    await until('only a new one is in stock', async () => {
      const now = await readdir(join(dir, 'stock'));
      return now.length === 1 && !now.includes(spare);
    });
  });

  test.serial(
    'whenever the maker is killed, a create again gives one running machine and destroy leaves none',
    async (t) => {
      t.timeout(400_000);
      const { dir, open } = await qemuBench(t);
      const { qemu } = await bakedImage();
      const provider = open();
      for (const afterMs of [30, 80, 150, 300]) {
        const asked = request();
        const options = {
          dir,
          clusterId: testCluster,
          addressBlock: testBlock,
          qemu,
          stock: 0,
          artifacts: null,
        };
        const child = spawn(process.execPath, [maker, JSON.stringify({ provider: options, request: asked })], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        await once(child.stdout, 'data');
        await systemClock.sleep(afterMs);
        child.kill('SIGKILL');
        await once(child, 'close');
        const machine = await provider.create(asked);
        // It may have to boot, beside all other tests.
        const isRunning = async () => (await provider.find(asked.operation))?.state === 'running';
        await until(`it runs (maker killed after ${afterMs} ms)`, isRunning, 120_000).catch(async (error) => {
          t.log(await provider.find(asked.operation), (await provider.console(asked.uuid, null))?.text);
          throw error;
        });
        t.is(machine.uuid, asked.uuid);
        await provider.destroy(machine);
        await provider.emptyStock();
        // A shell that finds its folder gone ends by itself.
        await until(`nothing is left (killed after ${afterMs} ms)`, () => pidsBelow(dir).length === 0);
      }
      t.deepEqual(await provider.list(), []);
    },
  );

  test.serial('a machine that was started and told nothing is told who it is by the next create', async (t) => {
    const { open } = await qemuBench(t);
    const asked = request();
    // As where its maker is killed between the two steps.
    const broken = open({
      access: () => {
        throw new Error('broken off');
      },
    });
    t.is((await broken.create(asked)).state, 'building');
    const provider = open();
    const machine = await provider.create(asked);
    await until('it runs', async () => (await provider.find(asked.operation))?.state === 'running', 120_000);
    t.is((await provider.create(asked)).uuid, machine.uuid);
  });

  test.serial('a machine that does not join in time is in error', async (t) => {
    const { open } = await qemuBench(t);
    const asked = request();
    const machine = await open({ joinTimeoutMs: -1 }).create(asked);
    t.is(machine.state, 'error');
    const patient = open();
    await until('it joined after all', async () => (await patient.find(asked.operation))?.state === 'running');
  });

  test.serial('what nothing tells of is ended, and what is in use is not, without anybody asking', async (t) => {
    const { dir, open } = await qemuBench(t);
    const maker = open({ stock: 1 });
    await maker.prepare(minimalImage);
    const [kept, lost] = [await maker.create(request()), await maker.create(request())];
    await until('the stock is full', () => pidsBelow(dir).length === 3);
    await maker.close();
    const stray = mainPid(dir, lost.uuid);
    // As a crash in the middle of a destroy leaves it, or a person who cleans up.
    await rm(join(dir, 'machines', lost.uuid), { recursive: true });
    // And what a maker that died left in the making.
    const abandoned = join(dir, 'stock', 'abandoned');
    await mkdir(abandoned);
    await symlink('1:1', join(abandoned, 'maker'));
    const keeper = open();
    t.teardown(keeper.events(() => {}));
    await until('the stray is gone', () => readStartTime(stray) === null, 60_000);
    t.false((await readdir(join(dir, 'stock'))).includes('abandoned'));
    t.not(readStartTime(mainPid(dir, kept.uuid)), null);
    await until('only what is in use is left', () => pidsBelow(dir).length === 2);
  });

  test.serial('a hung machine is destroyed like any other', async (t) => {
    const { dir, open } = await qemuBench(t);
    const provider = open();
    const machine = await provider.create(request());
    process.kill(mainPid(dir, machine.uuid), 'SIGSTOP');
    await provider.destroy(machine);
    t.deepEqual(pidsBelow(dir), []);
  });

  test.serial(
    'a state that makes no sense is put away: the machine boots, and the template is made anew',
    async (t) => {
      t.timeout(400_000);
      const { image, qemu } = await bakedImage();
      const { open } = await qemuBench(t);
      const flavor = { memoryBytes: 192 * 1024 ** 2, cpus: 1 };
      const model = { image, shape: shapeOf(flavor, qemu) };
      const provider = open({ stock: 1 });
      await provider.prepare(minimalImage, flavor);
      await provider.emptyStock();
      // As large as before: only who loads it notices.
      const { stateFile = '' } = (await findTemplate(model)) ?? {};
      await writeFile(stateFile, Buffer.alloc((await stat(stateFile)).size, 'nonsense'));
      const asked = { ...request(), flavor };
      await provider.create(asked);
      await until('it joined', async () => (await provider.find(asked.operation))?.state === 'running', 120_000);
      await until('there is a template again', async () => (await findTemplate(model)) !== null, 120_000);
      t.pass();
    },
  );

  test.serial(
    'where QEMU is of another version than was thought, templates are made for the one that runs',
    async (t) => {
      const { qemu } = await bakedImage();
      const { dir, open } = await qemuBench(t);
      const provider = open({ stock: 1, qemu: { ...qemu, version: '1.2.3' } });
      await provider.prepare(minimalImage);
      t.is(provider.facts.qemu, qemu.version);
      const [spare = ''] = await readdir(join(dir, 'stock'));
      t.true((await readlink(join(dir, 'stock', spare, 'ready'))).includes(`:${qemu.version}-`));
    },
  );

  test('a template that is missing, truncated or another image’s is none', async (t) => {
    const { image, qemu } = await bakedImage();
    const shape = shapeOf(smallFlavor, qemu);
    t.truthy(await findTemplate({ image, shape }));
    t.is(await findTemplate({ image, shape: { ...shape, qemu: '9.9.9' } }), null);
    t.is(await findTemplate({ image, shape: { ...shape, diskMb: 64 } }), null);
    const fake = { ...image, dir: await tempDir(t) };
    t.is(await findTemplate({ image: fake, shape }), null);
    const folder = join(fake.dir, 'templates', shapeLabel(shape));
    await mkdir(folder, { recursive: true });
    for (const name of ['memory', 'state']) await writeFile(join(folder, name), '12345678');
    const record = { image: image.record.id, shape: shapeLabel(shape), sizes: { memory: 8, state: 8 }, bootMs: 1 };
    await writeFile(join(folder, 'template.json'), JSON.stringify(record));
    t.truthy(await findTemplate({ image: fake, shape }));
    const other = { ...fake, record: { ...image.record, id: 'another' } };
    t.is(await findTemplate({ image: other, shape }), null);
    await truncate(join(folder, 'memory'), 7);
    t.is(await findTemplate({ image: fake, shape }), null);
  });
}
