/**
 * Finds what a service left running: children that outlived it, or a whole service whose agent was killed. They are known by
 * the environment that the agent gave them, which follows a process wherever it is re-parented.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../clock.ts';

/** What the agent sets in the environment of everything it starts; see `serviceEnvironment`. */
function marksOf(machine: string): string[] {
  return [`MCP_MACHINE=${machine}`, `MCP_STARTED_BY=agent`];
}

/** Process ids of all that the machine's agent, this or an earlier one, started and that still runs. Empty where /proc is missing. */
export async function leftovers(machine: string): Promise<number[]> {
  const marks = marksOf(machine);
  const names = await readdir('/proc').catch(() => []);
  const found: number[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    // Gone meanwhile, or another user's: not ours.
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    const variables = environment.split('\0');
    if (marks.every((mark) => variables.includes(mark))) found.push(Number(name));
  }
  return found;
}

/** Ends all leftovers: asked first, killed after `patienceMs`. Resolves when none is left or `patienceMs` more has passed. */
export async function endLeftovers(machine: string, patienceMs: number, clock: Clock): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const until = clock.monotonic() + patienceMs;
    for (const pid of await leftovers(machine)) tryKill(pid, signal);
    while (clock.monotonic() < until) {
      if ((await leftovers(machine)).length === 0) return;
      await clock.sleep(50);
    }
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone meanwhile.
  }
}
