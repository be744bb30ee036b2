/** The processes of a machine: its group, and whatever left the group but still carries the machine's mark. */
import type { Clock } from '../../registrar/clock.ts';
import {
  isSameProcess,
  killGroup,
  type ProcessIdentity,
  processesMarked,
  signalProcess,
} from '../../registrar/process-identity.ts';
import { unavailable } from '../provider-errors.ts';

/** How long killed processes may take to end, ms. */
const dyingMs = 10_000;

/** Environment of a machine's main process: what it starts inherits it, in any group or session. */
export function machineEnvironment(uuid: string): { MCP_MACHINE: string } {
  return { MCP_MACHINE: uuid };
}

/**
 * Kills all processes of the machine, of the group that `main` leads first; returns how many were found alive by their mark.
 * Without `main`, all that carry the mark. In the midst of an exec a process shows no environment: look twice.
 */
function killMachine(uuid: string, main: ProcessIdentity | null): number {
  const mark = `MCP_MACHINE=${machineEnvironment(uuid).MCP_MACHINE}`;
  if (main) killGroup(main, 'SIGKILL');
  return processesMarked(mark, main?.startTime).filter((one) => signalProcess(one, 'SIGKILL')).length;
}

/** Kills what a machine whose main process died left behind. */
export async function sweepMachine(uuid: string, main: ProcessIdentity, clock: Clock): Promise<void> {
  for (const pause of [0, 50, 500]) {
    if (pause > 0) await clock.sleep(pause);
    killMachine(uuid, main);
  }
}

/** Kills all processes of the machine until none is left. Errors: PROVIDER_UNAVAILABLE where one does not die. */
export async function endMachine(uuid: string, main: ProcessIdentity | null, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + dyingMs;
  const pause = async () => {
    if (clock.monotonic() > deadline) throw unavailable(`processes of machine ${uuid} do not end`);
    await clock.sleep(2);
  };
  if (main) killGroup(main, 'SIGKILL');
  while (main && isSameProcess(main)) await pause();
  while (killMachine(uuid, main) > 0) await pause();
}
