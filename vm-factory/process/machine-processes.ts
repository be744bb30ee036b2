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

/** Kills all processes of the machine that `main` leads or led; returns how many were found alive by their mark. */
export function killMachine(uuid: string, main: ProcessIdentity): number {
  const mark = `MCP_MACHINE=${machineEnvironment(uuid).MCP_MACHINE}`;
  killGroup(main, 'SIGKILL');
  return processesMarked(mark, main.startTime).filter((one) => signalProcess(one, 'SIGKILL')).length;
}

/** As `killMachine`, until none is left. Errors: PROVIDER_UNAVAILABLE where one does not die. */
export async function endMachine(uuid: string, main: ProcessIdentity, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + dyingMs;
  do {
    killGroup(main, 'SIGKILL');
    while (isSameProcess(main)) {
      if (clock.monotonic() > deadline) throw unavailable(`process ${main.pid} of machine ${uuid} does not end`);
      await clock.sleep(2);
    }
    if (clock.monotonic() > deadline) throw unavailable(`processes of machine ${uuid} do not end`);
  } while (killMachine(uuid, main) > 0);
}
