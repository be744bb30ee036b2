/** What follows from the causes for which the controller leaves things undone. Pure. */
import type { WaitingRecord } from '../../registrar/status-records.ts';
import type { WaitCause } from '../../registrar/wait-causes.ts';

const stopsAll: ReadonlySet<WaitCause> = new Set(['suspended', 'undeclared', 'registry', 'own-writes', 'error']);

/** Whether it is about this service, or about all there is. */
export function concerns({ cause, service }: WaitingRecord, name: string): boolean {
  return service === name || (cause !== undefined && stopsAll.has(cause));
}

const forMachines: ReadonlySet<WaitCause> = new Set(['no-machine', 'no-image']);

/** A claim is to be made and no machine is there for it. */
export function waitsForMachines({ cause }: WaitingRecord): boolean {
  return cause !== undefined && forMachines.has(cause);
}

const atWork: ReadonlySet<WaitCause> = new Set([
  ...forMachines,
  'starting',
  'unproven',
  // Told with the agents that failed.
  'breaker',
  'replacement',
  'in-turn',
  'rollout',
]);

/** The controller is at work on it: what keeps it, if anything does, is to be looked for further on. */
export function goesOn({ cause }: WaitingRecord): boolean {
  return cause !== undefined && atWork.has(cause);
}
