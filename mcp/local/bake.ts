/** Baking for people at this machine: one bake at a time in a store, with words about what is going on. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ImageSpec } from '../../specs/nouns.ts';
import { bakeImage, guestDigest } from '../../vm-factory/image/bake-image.ts';
import { type BakeOptions, bakeMinimal, minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import type { Image, ImageStore } from '../../vm-factory/image/image-store.ts';
import { qemuFacts } from '../../vm-factory/qemu/accelerator.ts';
import { machineType } from '../../vm-factory/qemu/command-line.ts';
import { holdFolder } from './folder-lock.ts';
import type { Progress } from './progress.ts';

/** Where images are kept for all environments of this user. */
export function imagesFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mcp', 'machines');
}

/** `minimal`, or one that a file declares. */
export type Wanted = typeof minimalImage | ImageSpec;

export function nameOf(wanted: Wanted): string {
  return wanted === minimalImage ? minimalImage : wanted.name;
}

export interface BakeRequest {
  store: ImageStore;
  qemuVersion: string;
  progress: Progress;
  signal: AbortSignal;
}

/** As `qemuFacts` gives it, for those who only bake. Errors: QEMU_MISSING. */
export async function qemuVersion(): Promise<string> {
  return (await qemuFacts()).version;
}

/** Bakes with what is current now, or finds exactly that baked. Errors: IMAGE_*; the signal's reason. */
export async function bakeNow(wanted: Wanted, request: BakeRequest): Promise<Image> {
  return alone(request, async () => {
    const options = optionsOf(wanted, request);
    return wanted === minimalImage ? bakeMinimal(options) : bakeImage(wanted, options);
  });
}

/**
 * As `bakeNow`, but an image of this declaration that this MCP and this QEMU can use is good enough, whichever versions of
 * Debian's packages it holds: who starts an environment asks for no upgrade.
 */
export async function bakeIfMissing(wanted: Wanted, request: BakeRequest): Promise<Image> {
  if (wanted === minimalImage) return bakeNow(wanted, request);
  const guest = await guestDigest(wanted.base);
  const there = (await request.store.list()).find(
    ({ record }) =>
      record.name === wanted.name &&
      record.definition === wanted.digest &&
      record.guest === guest &&
      record.qemuVersion === request.qemuVersion &&
      record.machineType === machineType,
  );
  return there ?? bakeNow(wanted, request);
}

/** Waits for others that bake or prune in the same store. */
export async function alone<T>({ store, progress, signal }: AloneIn, work: () => Promise<T>): Promise<T> {
  const release = await holdFolder(join(store.dir, 'images'), {
    signal,
    onBusy: (holder) => progress.tell(`waiting for another mcp${holder ? ` (pid ${holder.identity.pid})` : ''}`),
  });
  try {
    return await work();
  } finally {
    release();
  }
}

type AloneIn = Pick<BakeRequest, 'store' | 'progress' | 'signal'>;

function optionsOf(wanted: Wanted, { store, qemuVersion: version, progress, signal }: BakeRequest): BakeOptions {
  return {
    store,
    qemu: { version, machineType },
    report: {
      step: (name, cached) => (cached ? progress.tell(`${name} (kept)`) : progress.start(`${nameOf(wanted)}: ${name}`)),
      output: (line) => progress.tell(line),
      note: (text) => progress.start(text),
    },
    signal,
  };
}
