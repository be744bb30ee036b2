/** `mcp image`: what virtual machines are cloned from, baked, listed and pruned. It needs no environment. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../registrar/system-clock.ts';
import { McpError } from '../../../specs/errors.ts';
import { imageReference } from '../../../specs/image-reference.ts';
import { didYouMean } from '../../../specs/near-miss.ts';
import type { ImageSpec } from '../../../specs/nouns.ts';
import { minimalImage } from '../../../vm-factory/image/bake-minimal.ts';
import { bytesBelow, type Image, ImageStore } from '../../../vm-factory/image/image-store.ts';
import { loadEnvironment } from '../../declare/load-environment.ts';
import { alone, bakeNow, imagesFolder, nameOf, qemuVersion, type Wanted } from '../../local/bake.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../numbers.ts';
import { ago, paint, table } from '../output.ts';
import { makeProgress } from '../progress.ts';
import { action, type Register } from './run.ts';

export const registerImage: Register = (program, interrupted) => {
  const image = program.command('image').description('bake, list and prune what virtual machines are cloned from');
  image
    .command('bake')
    .description('bake an image of an environment file, or all of them; what is baked already is found')
    .argument('[name]', `an image that the file declares, or ${minimalImage} (default: all that the file declares)`)
    .option('-f, --file <yaml>', 'environment file')
    .action(action<{ file?: string }>(interrupted, bake));
  image.command('list').description('list the baked images, newest first').action(action(interrupted, list));
  image
    .command('prune')
    .description('remove images that nothing uses, with the steps and packages that only they needed')
    .option('--keep <n>', 'newest images of each name that stay although nothing uses them', wholeNumber(0, 1000), 1)
    .action(action<{ keep: number }>(interrupted, prune));
};

async function bake(context: Context, { file }: { file?: string }, name?: string): Promise<undefined> {
  const artifacts = await mkdtemp(join(tmpdir(), 'mcp-bake-'));
  const progress = makeProgress(context);
  const started = performance.now();
  try {
    const wanted = choose(file === undefined ? [] : await declaredIn(file, artifacts), file, name);
    const store = new ImageStore(imagesFolder());
    const request = { store, qemuVersion: await qemuVersion(), progress, signal: context.signal };
    const baked: Image[] = [];
    for (const one of wanted) {
      progress.start(`Bake the image ${nameOf(one)}`);
      baked.push(await bakeNow(one, request));
    }
    progress.done();
    const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
    if (context.json)
      context.printJson({ seconds, images: await Promise.all(baked.map((one) => describe(store, one))) });
    else for (const { record } of baked) context.print(`${record.name}  ${record.id}`);
    return undefined;
  } catch (error) {
    progress.fail();
    throw error;
  } finally {
    await rm(artifacts, { recursive: true, force: true });
  }
}

async function declaredIn(file: string, artifacts: string): Promise<ImageSpec[]> {
  return (await loadEnvironment(file, { artifacts, allowEmpty: true })).images ?? [];
}

function choose(declared: readonly ImageSpec[], file: string | undefined, name: string | undefined): Wanted[] {
  if (name === minimalImage) return [minimalImage];
  if (file === undefined)
    throw new McpError('USAGE_FILE', 'no environment file is named', { hint: 'mcp image bake [NAME] -f FILE' });
  const chosen = declared.filter((image) => name === undefined || image.name === name);
  if (chosen.length > 0) return chosen;
  if (name === undefined)
    throw new McpError('USAGE_UNKNOWN_NAME', `${file} declares no images`, { hint: 'Declare them under `images:`.' });
  const known = [...declared.map((image) => image.name), minimalImage];
  throw new McpError('USAGE_UNKNOWN_NAME', `${file} declares no image "${name}"${didYouMean(name, known)}`, {
    hint: `Known: ${known.join(', ')}.`,
    details: { known },
  });
}

interface ImageView {
  name: string;
  id: string;
  /** What environments call it. */
  reference: string;
  base: string;
  /** ISO 8601 */
  bakedAt: string;
  /** Of its kernel, initramfs and root. */
  bytes: number;
  /** What it takes on the disk, with its templates. */
  diskBytes: number;
  qemuVersion: string;
  machineType: string;
  steps: string[];
  packages: { name: string; version: string }[];
  /** Environments that need it. */
  users: string[];
}

async function describe(store: ImageStore, { record, dir, bakedAt }: Image): Promise<ImageView> {
  const { name, id, definition, base = minimalImage, qemuVersion: version, machineType, steps, packages = [] } = record;
  return {
    name,
    id,
    reference: definition === undefined ? name : imageReference({ name, digest: definition }),
    base,
    bakedAt: new Date(bakedAt).toISOString(),
    bytes: Object.values(record.bytes ?? {}).reduce((sum, size) => sum + size, 0),
    diskBytes: await bytesBelow(dir),
    qemuVersion: version,
    machineType,
    steps: steps.map((step) => step.name),
    packages,
    users: await store.users(id),
  };
}

async function list(context: Context): Promise<undefined> {
  const store = new ImageStore(imagesFolder());
  const { whole, damaged } = await store.survey();
  const images = await Promise.all(whole.map((image) => describe(store, image)));
  if (context.json) {
    context.printJson({ folder: store.dir, images, damaged });
    return undefined;
  }
  const rows = images.map((image) => [
    image.reference,
    image.id.slice(0, 12),
    image.base,
    `${ago(systemClock.now() - Date.parse(image.bakedAt))} ago`,
    mebibytes(image.diskBytes),
    image.users.length === 0 ? '-' : String(image.users.length),
  ]);
  context.print(
    images.length === 0
      ? 'No image is baked.'
      : table([['IMAGE', 'ID', 'BASE', 'BAKED', 'ON DISK', 'USED BY'], ...rows], context.color),
  );
  for (const id of damaged)
    context.print(paint(context.color, 'yellow', `${id.slice(0, 12)} is damaged: it is baked again when it is needed`));
  return undefined;
}

async function prune(context: Context, { keep }: { keep: number }): Promise<undefined> {
  const store = new ImageStore(imagesFolder());
  const progress = makeProgress(context);
  const { gone, damaged, kept, freedBytes } = await alone({ store, progress, signal: context.signal }, () =>
    store.prune(keep),
  );
  const views = await Promise.all(kept.map((image) => describe(store, image)));
  if (context.json) {
    const removed = gone.map(({ id, name }) => ({ id, name }));
    context.printJson({
      removed,
      damaged,
      kept: views.map(({ id, name, users }) => ({ id, name, users })),
      freedBytes,
    });
    return undefined;
  }
  for (const { id, name } of gone) context.print(`removed  ${name}  ${id.slice(0, 12)}`);
  for (const id of damaged) context.print(`removed  ${id.slice(0, 12)}, which was damaged`);
  for (const { id, name, users } of views) {
    const why = users.length > 0 ? `used by ${users.join(', ')}` : 'the newest of its name';
    context.print(`kept     ${name}  ${id.slice(0, 12)}  (${why})`);
  }
  context.print(`${mebibytes(freedBytes)} freed.`);
  return undefined;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}
