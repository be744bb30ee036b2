/** Folders with a virtual machine in them, in the making or on their way out, named by whoever works on them (`ownName`). */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../registrar/clock.ts';
import { makerLives } from '../process/files.ts';
import { endVm, vmIdentity } from './vm.ts';

/** Ends the machine whose folder this is, if any. */
export async function endVmIn(folder: string, clock: Clock): Promise<void> {
  const identity = await vmIdentity(folder);
  if (identity) await endVm(identity, clock);
}

/** Ends and removes what dead processes left. */
export async function tidyVms(folder: string, clock: Clock): Promise<void> {
  for (const name of await readdir(folder)) {
    if (makerLives(name)) continue;
    await endVmIn(join(folder, name), clock);
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Whether a living process is at work on something of this label. */
export async function livingDraft(folder: string, label: string): Promise<boolean> {
  return (await readdir(folder)).some((name) => name.endsWith(`.${label}`) && makerLives(name));
}
