import { existsSync } from 'node:fs';
import { mkdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type ImageRecord, ImageStore } from '../../../vm-factory/image/image-store.ts';
import { sha256 } from '../../helpers/make-tar.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

async function bench(t: ExecutionContext) {
  const dir = await tempDir(t);
  const store = new ImageStore(join(dir, 'images'));
  const add = async (word: string, age: number, name = 'minimal') => {
    const key = sha256(Buffer.from(`step ${word}`));
    const step = join(store.stepsDir, key);
    await mkdir(step, { recursive: true });
    const part = join(step, 'part');
    await writeFile(part, word);
    const record: ImageRecord = {
      format: 1,
      id: sha256(Buffer.from(word)),
      name,
      qemuVersion: '7.2.22',
      machineType: 'pc',
      steps: [{ name: 'step', key }],
    };
    const image = await store.add(record, { kernel: part, initramfs: part, root: part });
    await utimes(join(image.dir, 'image.json'), 1_000_000 - age, 1_000_000 - age);
    return { image, step };
  };
  return { dir, store, add };
}

test('the newest image of a name is found; adding one twice keeps the first', async (t) => {
  const { store, add } = await bench(t);
  t.is(await store.find('minimal'), null);
  const { image: old } = await add('old', 10);
  const { image } = await add('new', 0);
  await add('new', 0);
  await add('other', -10, 'other');
  t.is((await store.find('minimal'))?.record.id, image.record.id);
  t.is((await store.byId(old.record.id))?.dir, old.dir);
  t.is((await store.list()).length, 3);
});

test('pruning keeps the newest of each name and what is in use, with their steps', async (t) => {
  const { dir, store, add } = await bench(t);
  const [unused, used, newest, other] = [
    await add('a', 30),
    await add('b', 20),
    await add('c', 10),
    await add('d', 40, 'other'),
  ];
  const holder = join(dir, 'environment');
  await mkdir(holder);
  await store.use(used.image.record.id, holder);
  const gone = async () => (await store.prune()).gone.map(({ id }) => id);
  t.deepEqual(await gone(), [unused.image.record.id]);
  for (const { image, step } of [used, newest, other]) t.true(existsSync(image.dir) && existsSync(step));
  t.false(existsSync(unused.image.dir) || existsSync(unused.step));
  await rm(holder, { recursive: true });
  t.deepEqual(await gone(), [used.image.record.id]);
});

test('a damaged image is not listed, and said to be damaged where it is asked for', async (t) => {
  const { store, add } = await bench(t);
  const { image } = await add('a', 0);
  await truncate(join(image.dir, 'image.json'), 10);
  t.deepEqual(await store.list(), []);
  await t.throwsAsync(store.byId(image.record.id), { code: 'IMAGE_DAMAGED' });
});
