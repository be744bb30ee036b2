/** The size of a machine. Pure. */
import type { Flavor } from './nouns.ts';
import { formatSize } from './size.ts';

/** What a declared flavor leaves out: enough for the agent and a small service. */
export const smallFlavor: Flavor = { memoryBytes: 256 * 1024 ** 2, cpus: 1 };

/** Equal words, equal machines: `256 MiB, 1 cpu, 2 GiB disk`. Empty where the provider decides. */
export function flavorText(flavor: Flavor | undefined): string {
  if (!flavor) return '';
  const { memoryBytes, cpus, diskBytes } = flavor;
  const disk = diskBytes === undefined ? [] : [`${formatSize(diskBytes)} disk`];
  return [formatSize(memoryBytes), `${cpus} ${cpus === 1 ? 'cpu' : 'cpus'}`, ...disk].join(', ');
}
