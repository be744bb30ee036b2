/**
 * A machine booted once, saved while it waits for an identity: its memory file, its state and its disks are what clones start
 * from. It fits one image, one shape and one QEMU; where one of these differs, or a part is damaged, there is none.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../registrar/clock.ts';
import { waitingWord } from '../guest/inside.ts';
import type { Image } from '../image/image-store.ts';
import { ownName, unless } from '../process/files.ts';
import { overlayFile, shapeLabel } from './command-line.ts';
import { bootOverlays, cloneOverlays, type Overlay } from './disks.ts';
import type { Model } from './model.ts';
import { endVm, requireQemu, type StartedVm, saveVm, startVm, untilConsoleSays } from './vm.ts';
import { livingDraft, tidyVms } from './vm-folders.ts';

export interface Template {
  memoryFile: string;
  stateFile: string;
  /** Of a clone of it. */
  overlays: Overlay[];
}

const recordSchema = z.object({
  image: z.string(),
  shape: z.string(),
  /** Bytes of each file. */
  sizes: z.record(z.string(), z.number()),
  /** How long the boot took until the guest waited, ms. */
  bootMs: z.number(),
});

/** Emulated, on a busy machine, ms. */
const bootTimeoutMs = 180_000;
/** What the guest still does once it said that it waits (a last page written, a thread put to rest), ms. */
const settleMs = 300;

/** The template of this model, if there is a whole one. */
export async function findTemplate({ image, shape }: Model): Promise<Template | null> {
  const folder = templateFolder(image, shapeLabel(shape));
  const template = templateIn(folder, { image, shape });
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(join(folder, 'template.json'), 'utf8')));
    const sizes = await sizesOf(folder, template.overlays);
    const whole = Object.entries(sizes).every(([name, bytes]) => record.sizes[name] === bytes);
    return whole && record.image === image.record.id && record.shape === shapeLabel(shape) ? template : null;
  } catch {
    // Missing, truncated or unreadable comes to the same: it is made again.
    return null;
  }
}

/** Takes a template away that looked whole and was not. */
export async function dropTemplate({ image, shape }: Model): Promise<void> {
  await mkdir(stagingOf(image), { recursive: true });
  const trash = join(stagingOf(image), ownName());
  await unless(rename(templateFolder(image, shapeLabel(shape)), trash), undefined, 'ENOENT');
  await rm(trash, { recursive: true, force: true });
}

/**
 * Finds the template or makes it; one that is damaged is replaced. Where another process is making it, that is waited for.
 * Errors: PROVIDER_UNAVAILABLE, QEMU_CHANGED, QMP_*.
 */
export async function ensureTemplate(model: Model, clock: Clock, signal?: AbortSignal): Promise<Template> {
  const { image, shape } = model;
  const staging = stagingOf(image);
  const label = shapeLabel(shape);
  await mkdir(staging, { recursive: true });
  await tidyVms(staging, clock);
  for (;;) {
    const there = await findTemplate(model);
    if (there) return there;
    if (!(await livingDraft(staging, label))) return make(model, join(staging, `${ownName()}.${label}`), clock, signal);
    await clock.sleep(200, signal);
  }
}

/** Ends and removes what dead processes left of templates of this image in the making. */
export async function tidyTemplates(image: Image, clock: Clock): Promise<void> {
  const staging = stagingOf(image);
  if (await unless(stat(staging), null, 'ENOENT')) await tidyVms(staging, clock);
}

async function make(model: Model, draft: string, clock: Clock, signal?: AbortSignal): Promise<Template> {
  const { image, shape } = model;
  const home = templateFolder(image, shapeLabel(shape));
  await mkdir(draft);
  let vm: StartedVm | null = null;
  try {
    const from = clock.monotonic();
    const overlays = await bootOverlays(image.dir, image, shape);
    const start = { kind: 'template', memoryFile: join(draft, 'memory') } as const;
    vm = await startVm({ folder: draft, files: image, shape, start, overlays });
    await requireQemu(vm.identity, shape.qemu, clock);
    const waiting = { folder: draft, identity: vm.identity };
    await untilConsoleSays(waiting, waitingWord, { timeoutMs: bootTimeoutMs, clock, signal });
    const bootMs = Math.round(clock.monotonic() - from);
    await clock.sleep(settleMs, signal);
    await saveVm(vm.identity, join(draft, 'state'), clock);
    const sizes = await sizesOf(draft, overlays);
    const record = { image: image.record.id, shape: shapeLabel(shape), sizes, bootMs };
    await writeFile(join(draft, 'template.json'), JSON.stringify(record));
    if (!(await findTemplate(model))) await rm(home, { recursive: true, force: true });
    await mkdir(join(home, '..'), { recursive: true });
    await unless(rename(draft, home), undefined, 'ENOTEMPTY', 'EEXIST');
  } finally {
    if (vm) await endVm(vm.identity, clock);
    await rm(draft, { recursive: true, force: true });
  }
  return templateIn(home, model);
}

function templateIn(folder: string, { image, shape }: Model): Template {
  const overlays = cloneOverlays(folder, image, shape);
  return { memoryFile: join(folder, 'memory'), stateFile: join(folder, 'state'), overlays };
}

async function sizesOf(folder: string, overlays: readonly Overlay[]): Promise<Record<string, number>> {
  const names = ['memory', 'state', ...overlays.map(({ name }) => overlayFile(name))];
  const sizes = await Promise.all(names.map(async (name) => [name, (await stat(join(folder, name))).size] as const));
  return Object.fromEntries(sizes);
}

function templateFolder(image: Image, label: string): string {
  return join(image.dir, 'templates', label);
}

function stagingOf(image: Image): string {
  return join(image.dir, 'staging');
}
