/** A machine booted once, saved while it waits for an identity: its memory file and its state are what clones start from. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../registrar/clock.ts';
import { waitingWord } from '../guest/inside.ts';
import type { Image } from '../image/image-store.ts';
import { ownName, tidy, unless } from '../process/files.ts';
import type { MachineShape } from './command-line.ts';
import { endVm, type StartedVm, saveVm, startVm, untilConsoleSays } from './vm.ts';

export interface Template {
  memoryFile: string;
  stateFile: string;
}

const recordSchema = z.object({
  image: z.string(),
  memoryBytes: z.number(),
  stateBytes: z.number(),
  /** How long the boot took until the guest waited, ms. */
  bootMs: z.number(),
});

/** Emulated, on a busy machine, ms. */
const bootTimeoutMs = 180_000;
/** What the guest still does once it said that it waits (a last page written, a thread put to rest), ms. */
const settleMs = 300;

/** The image's template for machines of this shape, if there is a whole one. */
export async function findTemplate(image: Image, shape: MachineShape): Promise<Template | null> {
  const folder = templateFolder(image, shape);
  const template = { memoryFile: join(folder, 'memory'), stateFile: join(folder, 'state') };
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(join(folder, 'template.json'), 'utf8')));
    const [memory, state] = await Promise.all([stat(template.memoryFile), stat(template.stateFile)]);
    const whole = memory.size === record.memoryBytes && state.size === record.stateBytes;
    return whole && record.image === image.record.id ? template : null;
  } catch {
    // Missing, truncated or unreadable comes to the same: it is made again.
    return null;
  }
}

/** Finds the template or makes it; one that is damaged is replaced. Errors: PROVIDER_UNAVAILABLE, QMP_*. */
export async function ensureTemplate(
  image: Image,
  shape: MachineShape,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Template> {
  const there = await findTemplate(image, shape);
  if (there) return there;
  const home = templateFolder(image, shape);
  const staging = join(image.dir, 'staging');
  await mkdir(staging, { recursive: true });
  await tidy(staging);
  const draft = join(staging, ownName());
  await mkdir(draft);
  let vm: StartedVm | null = null;
  try {
    const from = clock.monotonic();
    vm = await startVm({
      folder: draft,
      files: image,
      shape,
      start: { kind: 'template', memoryFile: join(draft, 'memory') },
    });
    await untilConsoleSays({ folder: draft, identity: vm.identity }, waitingWord, {
      timeoutMs: bootTimeoutMs,
      clock,
      signal,
    });
    const bootMs = Math.round(clock.monotonic() - from);
    await clock.sleep(settleMs, signal);
    await saveVm(vm.identity, join(draft, 'state'), clock);
    const [memory, state] = await Promise.all(['memory', 'state'].map((name) => stat(join(draft, name))));
    const record = { image: image.record.id, memoryBytes: memory?.size, stateBytes: state?.size, bootMs };
    await writeFile(join(draft, 'template.json'), JSON.stringify(record));
    if (!(await findTemplate(image, shape))) await rm(home, { recursive: true, force: true });
    await mkdir(join(home, '..'), { recursive: true });
    await unless(rename(draft, home), undefined, 'ENOTEMPTY', 'EEXIST');
  } finally {
    if (vm) await endVm(vm.identity, clock);
    await rm(draft, { recursive: true, force: true });
  }
  return { memoryFile: join(home, 'memory'), stateFile: join(home, 'state') };
}

function templateFolder(image: Image, { accelerator, memoryMb, cpus }: MachineShape): string {
  return join(image.dir, 'templates', `${accelerator}-${memoryMb}m-${cpus}`);
}
