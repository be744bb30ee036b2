/**
 * A machine booted once, saved while it waits for an identity: its memory file, its state and its disks are what clones start
 * from. It fits one image, one shape, one QEMU and one service, if that was started in it; where one of these differs, or a part
 * is damaged, there is none.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../registrar/clock.ts';
import { digestOf } from '../../specs/digest.ts';
import { waitingWord } from '../guest/inside.ts';
import type { Image } from '../image/image-store.ts';
import { ownName, unless } from '../process/files.ts';
import { unavailable } from '../provider-errors.ts';
import { overlayFile, shapeLabel } from './command-line.ts';
import { bootOverlays, cloneOverlays, type Overlay } from './disks.ts';
import { type Model, modelLabel } from './model.ts';
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
  /** Name of the service template, where it is one. */
  service: z.string().optional(),
  /** Bytes of each file. */
  sizes: z.record(z.string(), z.number()),
  /** How long it took until the guest waited, ms. */
  bootMs: z.number(),
});

/** Emulated, on a busy machine, ms. */
const bootTimeoutMs = 180_000;
/** What the guest still does once it said that it waits (a last page written, a thread put to rest), ms. */
const settleMs = 300;

/** The template of this model, if there is a whole one. */
export async function findTemplate(model: Model): Promise<Template | null> {
  const { image, shape, service } = model;
  const folder = templateFolder(model);
  const template = templateIn(folder, model);
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(join(folder, 'template.json'), 'utf8')));
    const sizes = await sizesOf(folder, template.overlays);
    const whole = Object.entries(sizes).every(([name, bytes]) => record.sizes[name] === bytes);
    const same = record.image === image.record.id && record.shape === shapeLabel(shape);
    return whole && same && record.service === service?.name ? template : null;
  } catch {
    // Missing, truncated or unreadable comes to the same: it is made again.
    return null;
  }
}

/** Takes a template away that looked whole and was not. */
export async function dropTemplate(model: Model): Promise<void> {
  const staging = stagingOf(model);
  await mkdir(staging, { recursive: true });
  const trash = join(staging, ownName());
  await unless(rename(templateFolder(model), trash), undefined, 'ENOENT');
  await rm(trash, { recursive: true, force: true });
}

interface Making {
  model: Model;
  /** Its folder as long as it is in the making. */
  draft: string;
  clock: Clock;
  signal?: AbortSignal;
  /** Tells of the machine as soon as there is one: it will be ended. */
  started: (vm: StartedVm) => void;
}

/** Starts a machine in the draft, its memory in `<draft>/memory`; resolves when it waits for an identity and can be saved. */
export type Begin = (making: Making) => Promise<Overlay[]>;

/**
 * Finds the template or makes it; one that is damaged is replaced. Where another process is making it, that is waited for.
 * Errors: PROVIDER_UNAVAILABLE, QEMU_CHANGED, TEMPLATE_DAMAGED (another one, that this one is made from), QMP_*.
 */
export async function ensureTemplate(
  model: Model,
  clock: Clock,
  signal?: AbortSignal,
  begin: Begin = boot,
): Promise<Template> {
  const staging = stagingOf(model);
  const label = draftLabel(model);
  await mkdir(staging, { recursive: true });
  await tidyVms(staging, clock);
  for (;;) {
    const there = await findTemplate(model);
    if (there) return there;
    if (!(await livingDraft(staging, label))) {
      const draft = join(staging, `${ownName()}.${label}`);
      return make(begin, { model, draft, clock, signal });
    }
    await clock.sleep(200, signal);
  }
}

const boot: Begin = async ({ model: { image, shape }, draft, clock, signal, started }) => {
  const overlays = await bootOverlays(image.dir, image, shape);
  const start = { kind: 'template', memoryFile: join(draft, 'memory') } as const;
  const vm = await startVm({ folder: draft, files: image, shape, start, overlays });
  started(vm);
  await requireQemu(vm.identity, shape.qemu, clock);
  const waiting = { folder: draft, identity: vm.identity };
  await untilConsoleSays(waiting, waitingWord, { timeoutMs: bootTimeoutMs, clock, signal });
  return overlays;
};

/** Ends and removes what dead processes left of templates of this image in the making. */
export async function tidyTemplates(image: Image, clock: Clock): Promise<void> {
  const staging = stagingOfImage(image);
  if (await unless(stat(staging), null, 'ENOENT')) await tidyVms(staging, clock);
}

async function make(begin: Begin, making: Omit<Making, 'started'>): Promise<Template> {
  const { model, draft, clock, signal } = making;
  const { image, shape, service } = model;
  const home = templateFolder(model);
  // A service's memory is its owner's alone.
  await mkdir(draft, service ? { mode: 0o700 } : {});
  let vm: StartedVm | null = null;
  const started = (one: StartedVm) => {
    vm = one;
  };
  try {
    const from = clock.monotonic();
    const overlays = await begin({ ...making, started });
    const bootMs = Math.round(clock.monotonic() - from);
    await clock.sleep(settleMs, signal);
    await saveVm(identityOf(vm), join(draft, 'state'), clock);
    const sizes = await sizesOf(draft, overlays);
    const record = { image: image.record.id, shape: shapeLabel(shape), service: service?.name, sizes, bootMs };
    await writeFile(join(draft, 'template.json'), JSON.stringify(record));
    if (!(await findTemplate(model))) await rm(home, { recursive: true, force: true });
    await mkdir(join(home, '..'), { recursive: true });
    await unless(rename(draft, home), undefined, 'ENOTEMPTY', 'EEXIST');
  } finally {
    if (vm) await endVm(identityOf(vm), clock);
    await rm(draft, { recursive: true, force: true });
  }
  return templateIn(home, model);
}

function identityOf(vm: StartedVm | null): StartedVm['identity'] {
  if (!vm) throw unavailable('no virtual machine was started');
  return vm.identity;
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

/** Those of services are the environment's: they hold what it declares. */
export function templateFolder(model: Model): string {
  const { image, shape, service } = model;
  return service ? join(service.home, draftLabel(model)) : join(image.dir, 'templates', shapeLabel(shape));
}

/** File-name-safe. */
function draftLabel(model: Model): string {
  return model.service ? digestOf(modelLabel(model)).slice(0, 32) : shapeLabel(model.shape);
}

/** Where templates are made, and unmade. */
function stagingOf({ image, service }: Model): string {
  return service ? stagingOfServices(service.home) : stagingOfImage(image);
}

function stagingOfImage(image: Image): string {
  return join(image.dir, 'staging');
}

/** Beside the folder of service templates. */
export function stagingOfServices(home: string): string {
  return `${home}-staging`;
}
