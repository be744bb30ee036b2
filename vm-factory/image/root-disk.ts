/** Images' roots as ext4 file systems, made without mounting: of the minimal image's few files, or of a whole tree. */
import { join } from 'node:path';
import type { BakeStep, StepRun } from './bake-steps.ts';
import { busyboxNames, guestFiles, minimalFiles, rootFolders } from './guest-root.ts';
import { agentModules, busybox, hostPrograms, type Planting, plant, plantingInputs } from './root-files.ts';

/** A file system's identity is part of its bytes. */
const diskUuid = '6d637000-0000-4000-8000-000000000001';
const blockBytes = 4096;
/** In the step's folder. */
export const diskFile = 'root.ext4';

/**
 * Arguments: the tree, the file. As large as the tree needs and a little more: nothing is ever written to it, and a guest that
 * could would be writing to what others read.
 */
const makeDisk = `set -e
cd "$1"
files=$(find . -xdev | wc -l)
blocks=$(du --summarize --one-file-system --block-size=${blockBytes} . | cut -f1)
exec mke2fs -q -t ext4 -b ${blockBytes} -O ^has_journal -m 0 -U ${diskUuid} -E hash_seed=${diskUuid},root_owner=0:0 \\
  -N $((files + 1024)) -d . "$2" $((blocks + blocks / 20 + files / 10 + 2048))
`;

export const diskInputs = { makeDisk };

/** argv that makes the file system; it must run as who owns the tree's files. */
export function diskCommand(tree: string, step: Pick<StepRun, 'dir'>): string[] {
  return ['/bin/sh', '-c', makeDisk, 'disk', tree, join(step.dir, diskFile)];
}

/** A base without a distribution: busybox, Node, perl and their libraries. */
export async function minimalBase(): Promise<Planting> {
  return {
    folders: [...rootFolders, 'bin', 'sbin'],
    placed: await hostPrograms(),
    files: minimalFiles,
    links: [...busyboxNames.map((name) => [`bin/${name}`, busybox] as const), ['sbin/init', busybox]],
  };
}

/** The minimal image's root. Errors: IMAGE_INPUT_MISSING. */
export async function minimalDiskStep(): Promise<BakeStep> {
  const base = await minimalBase();
  const whole = { ...base, placed: [...base.placed, ...(await agentModules())], files: [...base.files, ...guestFiles] };
  return {
    name: 'root file system',
    inputs: { planting: await plantingInputs(whole), diskInputs },
    run: async (step) => {
      const tree = join(step.dir, 'tree');
      await plant(tree, whole);
      await step.command(diskCommand(tree, step));
      await step.command(['rm', '-r', 'tree']);
    },
  };
}
