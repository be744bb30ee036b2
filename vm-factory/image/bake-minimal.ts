/** The `minimal` base: Debian's kernel, busybox, Node and the agent. Bakes without root and without installing anything. */
import { join } from 'node:path';
import { digestOf } from '../../specs/digest.ts';
import { isMcpError } from '../../specs/errors.ts';
import { type BakeReport, runStep, stepKey } from './bake-steps.ts';
import { bootParts } from './boot-parts.ts';
import type { Image, ImageStore } from './image-store.ts';
import { diskFile, minimalDiskStep } from './root-disk.ts';

export const minimalImage = 'minimal';

export interface BakeOptions {
  store: ImageStore;
  /** Become part of the image's record and id. */
  qemu: { version: string; machineType: string };
  report: BakeReport;
  signal: AbortSignal;
}

/**
 * Bakes the image, or finds it baked: what is made from the same inputs has the same id.
 * Errors: IMAGE_INPUT_MISSING, IMAGE_STEP_FAILED, IMAGE_DISK_FULL; the signal's reason.
 */
export async function bakeMinimal(options: BakeOptions): Promise<Image> {
  const { store, qemu, report, signal } = options;
  const context = { stepsDir: store.stepsDir, logsDir: store.logsDir, report, signal };
  const boot = await bootParts('read');
  const disk = await minimalDiskStep();
  const steps = [...boot.steps, { name: disk.name, key: stepKey(disk) }];
  const made = { name: minimalImage, qemuVersion: qemu.version, machineType: qemu.machineType, steps };
  const record = { format: 1 as const, id: digestOf(made), ...made };
  const there = await findWhole(options, record.id);
  if (there) return there;
  const parts = await boot.make(context);
  const root = await runStep(context, disk);
  return store.add(record, { ...parts, root: join(root, diskFile) });
}

/** The image of this id. One that is damaged is put away, with a word about it, so that it can be made again. */
export async function findWhole({ store, report }: BakeOptions, id: string): Promise<Image | null> {
  try {
    return await store.byId(id);
  } catch (error) {
    if (!isMcpError(error, 'IMAGE_DAMAGED')) throw error;
    report.note(`${error.message}; it is baked again`);
    await store.discard(id);
    return null;
  }
}
