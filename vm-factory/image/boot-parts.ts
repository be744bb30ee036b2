/** What every image boots with: Debian's kernel, and the initramfs that finds its root. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BakeContext, type BakeStep, runStep, stepKey } from './bake-steps.ts';
import { firstInit, firstRoot, modulePaths, type RootUse } from './first-root.ts';
import { currentKernel, kernelPaths, kernelStep } from './kernel-package.ts';
import { busybox, busyboxDigest } from './root-files.ts';

export interface BootParts {
  /** For the image's record, in order. */
  steps: { name: string; key: string }[];
  /** Makes them, or finds them made: paths of kernel and initramfs. Errors: as `runStep`. */
  make(context: BakeContext): Promise<{ kernel: string; initramfs: string }>;
}

/** Errors: IMAGE_INPUT_MISSING. */
export async function bootParts(use: RootUse): Promise<BootParts> {
  const kernel = kernelStep(await currentKernel());
  const modules = modulePaths(use);
  const inputs = { kernel: stepKey(kernel), busybox: await busyboxDigest(), init: firstInit(use), modules };
  const initramfs = (kernelFolder: string): BakeStep => ({
    name: 'initramfs',
    inputs,
    run: async ({ dir }) => {
      const paths = await kernelPaths(kernelFolder);
      const contents = await Promise.all(modules.map((path) => readFile(join(paths.modules, path))));
      await writeFile(join(dir, 'initramfs'), firstRoot(use, await readFile(busybox), contents));
      await copyFile(paths.kernel, join(dir, 'kernel'));
    },
  });
  return {
    steps: [kernel, initramfs('')].map((step) => ({ name: step.name, key: stepKey(step) })),
    make: async (context) => {
      const folder = await runStep(context, initramfs(await runStep(context, kernel)));
      return { kernel: join(folder, 'kernel'), initramfs: join(folder, 'initramfs') };
    },
  };
}
