/** What processes cost this host, as Linux counts it. */
import { readFileSync } from 'node:fs';

/** Processor time in s that a process has used so far, and its children that it has waited for; 0 where it is gone. */
export function cpuSeconds(pid: number): number {
  const stat = readOr(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime, stime, cutime, cstime in ticks of 10 ms (proc(5)).
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** The same of this process, without its children: those are measured where they are, and some ended in an earlier round. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** MiB of memory that nobody else uses, and the process's share of what others use too; both 0 where it is gone. */
export function memoryMb(pid: number): { own: number; share: number } {
  const rollup = readOr(`/proc/${pid}/smaps_rollup`);
  const kilobytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0);
  const own = kilobytes('Private_Clean') + kilobytes('Private_Dirty') + kilobytes('Private_Hugetlb');
  return { own: own / 1024, share: kilobytes('Pss') / 1024 };
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
