/** The `minimal` base: Debian's kernel, busybox, Node and the agent. Bakes without root and without installing anything. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../specs/digest.ts';
import { McpError } from '../../specs/errors.ts';
import { unless } from '../process/files.ts';
import { type BakeReport, type BakeStep, runStep, stepKey } from './bake-steps.ts';
import { fileDigest } from './file-digest.ts';
import { firstInit, firstRoot, modulePaths } from './first-root.ts';
import type { Image, ImageStore } from './image-store.ts';
import { currentKernel, kernelPaths, kernelStep } from './kernel-package.ts';
import { rootDiskStep } from './root-disk.ts';

export const minimalImage = 'minimal';

const busybox = '/bin/busybox';

export interface BakeOptions {
  store: ImageStore;
  /** Become part of the image's record and id. */
  qemu: { version: string; machineType: string };
  report: BakeReport;
  signal: AbortSignal;
}

/**
 * Bakes the image, or finds it baked: what is made from the same inputs has the same id.
 * Errors: IMAGE_INPUT_MISSING, IMAGE_STEP_FAILED, IMAGE_DAMAGED; the signal's reason.
 */
export async function bakeMinimal({ store, qemu, report, signal }: BakeOptions): Promise<Image> {
  const context = { stepsDir: store.stepsDir, report, signal };
  const busyboxDigest = await digestOfStaticBusybox();
  const kernel = kernelStep(await currentKernel());
  const disk = await rootDiskStep(busybox);
  const initramfs = (kernelFolder: string): BakeStep => ({
    name: 'initramfs',
    inputs: { kernel: stepKey(kernel), busyboxDigest, firstInit, modulePaths },
    run: async ({ dir }) => {
      const paths = await kernelPaths(kernelFolder);
      const modules = await Promise.all(modulePaths.map((path) => readFile(join(paths.modules, path))));
      await writeFile(join(dir, 'initramfs'), firstRoot(await readFile(busybox), modules));
      await copyFile(paths.kernel, join(dir, 'kernel'));
    },
  });
  const steps = [kernel, initramfs(''), disk].map((step) => ({ name: step.name, key: stepKey(step) }));
  const made = { name: minimalImage, qemuVersion: qemu.version, machineType: qemu.machineType, steps };
  const record = { format: 1 as const, id: digestOf(made), ...made };
  const there = await store.byId(record.id);
  if (there) return there;
  const boot = await runStep(context, initramfs(await runStep(context, kernel)));
  const root = await runStep(context, disk);
  return store.add(record, {
    kernel: join(boot, 'kernel'),
    initramfs: join(boot, 'initramfs'),
    root: join(root, 'root.ext4'),
  });
}

async function digestOfStaticBusybox(): Promise<string> {
  const digest = await unless(fileDigest(busybox), null, 'ENOENT');
  if (digest !== null) return digest;
  throw new McpError('IMAGE_INPUT_MISSING', `${busybox} is not here`, { hint: "Install Debian's busybox-static." });
}
