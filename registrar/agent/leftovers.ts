/**
 * Finds what a service left running: children that outlived it, or a whole service whose agent was killed. They are known by
 * the environment that the agent gave them, which follows a process wherever it is re-parented.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../clock.ts';

/** What the agent sets in the environment of everything it starts; see `serviceEnvironment`, and warm-service.ts. */
const startedByAgent = 'MCP_STARTED_BY=agent';
const ofMachine = (machine: string) => `MCP_MACHINE=${machine}`;
const ofTemplate = (dir: string) => `MCP_IN_TEMPLATE=${dir}`;

/**
 * Process ids of all that the machine's agent, this or an earlier one, started and that still runs. Empty where /proc is missing.
 * `dir`: what was started in this machine's directory before the machine had its name counts too.
 */
export async function leftovers(machine: string | null, dir: string | null = null): Promise<number[]> {
  const owners = [...(machine === null ? [] : [ofMachine(machine)]), ...(dir === null ? [] : [ofTemplate(dir)])];
  const names = await readdir('/proc').catch(() => []);
  const found: number[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    // Gone meanwhile, or another user's: not ours.
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    const variables = environment.split('\0');
    const ours = variables.includes(startedByAgent) && owners.some((mark) => variables.includes(mark));
    if (ours) found.push(Number(name));
  }
  return found;
}

/**
 * Ends all leftovers: asked first, killed after `patienceMs`. Resolves when none is left or `patienceMs` more has passed.
 * `dir` as for `leftovers`.
 */
export async function endLeftovers(
  machine: string | null,
  patienceMs: number,
  clock: Clock,
  dir: string | null = null,
): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const until = clock.monotonic() + patienceMs;
    for (const pid of await leftovers(machine, dir)) tryKill(pid, signal);
    while (clock.monotonic() < until) {
      if ((await leftovers(machine, dir)).length === 0) return;
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
