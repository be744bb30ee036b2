/** What befalls virtual machines on their host: hangs, wrong clocks, a full disk, makers that die. Real QEMU throughout. */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { readStartTime } from '../../../registrar/process-identity.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { minimalImage } from '../../../vm-factory/image/bake-minimal.ts';
import type { Image } from '../../../vm-factory/image/image-store.ts';
import { shapeOf } from '../../../vm-factory/qemu/model.ts';
import { QmpClient } from '../../../vm-factory/qemu/qmp-client.ts';
import { dropTemplate } from '../../../vm-factory/qemu/template.ts';
import { mainPid, testBlock, testCluster } from '../../helpers/process-machines.ts';
import { bakedImage, noQemu, pidsBelow, qemuBench, testImages } from '../../helpers/qemu-machines.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { until } from '../../helpers/until.ts';

const machineMaker = fileURLToPath(new URL('../../helpers/create-virtual-machine.ts', import.meta.url));
const templateMaker = fileURLToPath(new URL('../../helpers/prepare-template.ts', import.meta.url));
const onFullDisk = fileURLToPath(new URL('../../helpers/vms-on-full-disk.ts', import.meta.url));
const hourMs = 3_600_000;

const request = () => ({
  uuid: randomUUID(),
  operation: randomUUID(),
  clusterId: testCluster,
  image: minimalImage,
  registry: '127.0.0.1:1/mcp',
});

/** What the programs that tests run are told; JSON. */
async function providerWords(dir: string) {
  const { qemu } = await bakedImage();
  return { dir, clusterId: testCluster, addressBlock: testBlock, qemu, stock: 0, artifacts: null };
}

if (noQemu) test.skip(`faults of virtual machines: not run, ${noQemu}`, () => {});
else {
  test.before(async (t) => {
    t.timeout(600_000);
    await bakedImage();
  });

  test.serial('a host clock that is set hours forward or back fails no machine that is joining', async (t) => {
    const { open } = await qemuBench(t);
    const machine = await open().create(request());
    for (const hours of [9, -9]) {
      const other = open({ clock: { ...systemClock, now: () => Date.now() + hours * hourMs } });
      t.not((await other.find(machine.operation))?.state, 'error');
      await until('it joined', async () => (await other.find(machine.operation))?.state === 'running', 60_000);
    }
    const late = open({ clock: { ...systemClock, now: () => Date.now() - 20 * 365 * 24 * hourMs } });
    const old = await late.create(request());
    await until('its token is good', async () => (await late.find(old.operation))?.state === 'running', 60_000);
  });

  test.serial(
    'a machine whose grant is spoiled, or that stands still, is said to; others are listed as they are',
    async (t) => {
      const { dir, open } = await qemuBench(t);
      const provider = open();
      const [spoiled, still] = [await provider.create(request()), await provider.create(request())];
      for (const { uuid } of [spoiled, still]) process.kill(mainPid(dir, uuid), 'SIGSTOP');
      await writeFile(join(dir, 'machines', spoiled.uuid, 'vm', 'grant.json'), '{');
      t.like(await provider.find(spoiled.operation), {
        state: 'error',
        remark: 'what its host service was given is damaged',
      });
      await until('it stands still', async () => (await provider.find(still.operation))?.remark);
      t.like(await provider.find(still.operation), {
        state: 'building',
        remark: 'its QEMU process was stopped by a signal',
      });
      const impatient = open({ joinTimeoutMs: -1 });
      t.regex(
        (await impatient.find(still.operation))?.remark ?? '',
        /has not joined within .* was stopped by a signal$/,
      );
    },
  );

  test.serial('a spare that hangs is not handed out and is ended', async (t) => {
    const { dir, open } = await qemuBench(t);
    const provider = open({ stock: 1 });
    await provider.prepare(minimalImage);
    const [hung = 0] = pidsBelow(dir);
    process.kill(hung, 'SIGSTOP');
    await until('it is no spare any more', async () => (await provider.paused()) === 0);
    const machine = await provider.create(request());
    t.not(mainPid(dir, machine.uuid), hung);
    await until('it is ended', () => readStartTime(hung) === null, 60_000);
  });

  test.serial(
    'a clone that takes no identity is no machine: nothing of it is left, and the next one works',
    async (t) => {
      const { dir, open } = await qemuBench(t);
      const provider = open({ stock: 1 });
      await provider.prepare(minimalImage);
      const [pid = 0] = pidsBelow(dir);
      // QEMU talks to one at a time: to the provider it is as if it hung.
      const talk = await QmpClient.connect(`/proc/${pid}/cwd/qmp.sock`);
      t.teardown(() => talk.close());
      await t.throwsAsync(provider.create(request()), { code: 'PROVIDER_UNAVAILABLE', message: /took no identity/ });
      t.is(readStartTime(pid), null);
      t.deepEqual(await provider.list(), []);
      t.deepEqual(await readdir(join(dir, 'staging')), []);
      t.like(await provider.create(request()), { state: 'building' });
    },
  );

  test.serial('where makers are killed and nobody asks again, what is left is listed or ended', async (t) => {
    const { dir, open } = await qemuBench(t);
    const words = await providerWords(dir);
    await Promise.all(
      [60, 200, 400].map(async (afterMs) => {
        const asked = JSON.stringify({ provider: words, request: request() });
        const maker = spawn(process.execPath, [machineMaker, asked], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        await once(maker.stdout, 'data');
        await systemClock.sleep(afterMs);
        maker.kill('SIGKILL');
        await once(maker, 'close');
      }),
    );
    const keeper = open();
    t.teardown(keeper.events(() => {}));
    const listed = async () => {
      const folders = (await keeper.list()).map(({ uuid }) => join(dir, 'machines', uuid, 'vm', 'process'));
      const words = await Promise.all(folders.map((path) => readlink(path).catch(() => '0:0')));
      return words.map((word) => Number(word.split(':')[0]));
    };
    const accounted = async () => {
      const known = await listed();
      return pidsBelow(dir).every((pid) => known.includes(pid)) && readdirSync(join(dir, 'stock')).length === 0;
    };
    await until('all that runs is listed', accounted, 60_000);
    t.false((await keeper.list()).some(({ state }) => state === 'unknown'));
    for (const machine of await keeper.list()) await keeper.destroy(machine);
    t.deepEqual(pidsBelow(dir), []);
    for (const folder of ['addresses', 'machines']) {
      const names = await readdir(join(dir, folder), { recursive: true });
      t.deepEqual(
        names.filter((name) => !/^127[.\d]+$/.test(name)),
        [],
        folder,
      );
    }
  });

  test.serial('a template in the making whose maker died is ended by whoever keeps the house', async (t) => {
    const { dir, open } = await qemuBench(t);
    const { qemu } = await bakedImage();
    // The newest, as its maker finds it.
    const image = (await testImages.find(minimalImage)) as Image;
    const flavor = { memoryBytes: 176 * 1024 ** 2, cpus: 1 };
    const asked = JSON.stringify({ provider: await providerWords(dir), flavor });
    const model = { image, shape: shapeOf(flavor, qemu) };
    await dropTemplate(model);
    const maker = spawn(process.execPath, [templateMaker, asked], { stdio: 'ignore' });
    const staging = join(image.dir, 'staging');
    const mine = () =>
      pidsBelow(staging).filter((pid) => readlinkSync(`/proc/${pid}/cwd`).startsWith(join(staging, `${maker.pid}.`)));
    const [pid = 0] = await until('it boots', () => mine().length > 0 && mine(), 60_000);
    maker.kill('SIGKILL');
    await once(maker, 'close');
    t.not(readStartTime(pid), null, 'it outlives its maker');
    t.teardown(open().events(() => {}));
    await until('it is ended', () => readStartTime(pid) === null, 60_000);
    await until(
      'its folder is gone',
      async () => !(await readdir(staging)).some((name) => name.startsWith(`${maker.pid}.`)),
    );
    t.pass();
  });

  test.serial(
    'a full disk: creations fail with a hint and leave nothing, machines run on, and it heals by itself',
    async (t) => {
      t.timeout(240_000);
      const dir = join(await tempDir(t), 'small');
      await mkdir(dir);
      const mayMount = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
      const script =
        'mount -t tmpfs -o size=4m small "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1" "$4"';
      const words = JSON.stringify(await providerWords(dir));
      const { stdout } = await promisify(execFile)('unshare', [
        ...['--mount', ...mayMount, '/bin/sh', '-c', script, 'sh'],
        ...[dir, process.execPath, onFullDisk, words],
      ]);
      const { refusals, whileFull, left } = JSON.parse(stdout);
      for (const refusal of refusals) {
        t.like(refusal, { code: 'PROVIDER_UNAVAILABLE', retryable: true });
        t.regex(refusal.message, /create failed: .*(ENOSPC|No space left)/);
        t.regex(refusal.hint, /disk is not full/);
      }
      t.deepEqual(whileFull, { drafts: [], running: 1, states: ['running'], answers: true });
      t.deepEqual(left, { drafts: [], running: 0, machines: [] });
    },
  );
}
