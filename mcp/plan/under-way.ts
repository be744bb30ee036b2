/** What somebody waits for and takes processor time: machines in the making, and services that start. Pure. */
import type { MachineRecord } from '../../registrar/records.ts';
import { type PlannerMemory, stateAge } from './memory.ts';

/** What has taken longer than this, ms, holds up nobody else any more. */
const patienceMs = 60_000;

/** Claimed not long ago, and not serving yet. */
export function isStarting(
  { ledger, serving, condition }: { ledger: MachineRecord; serving: boolean; condition: string },
  memory: PlannerMemory,
  now: number,
): boolean {
  return ledger.state === 'claimed' && !serving && condition === 'alive' && isRecent(ledger, memory, now);
}

/** On its way into the pool. */
export function isInTheMaking({ state }: Pick<MachineRecord, 'state'>): boolean {
  return state === 'building' || state === 'verifying';
}

/** Whether it came to its state not long ago, by the leader's own clock: what the wall clock does changes nothing (fault 6). */
export function isRecent(machine: MachineRecord, memory: PlannerMemory, now: number): boolean {
  return stateAge(memory, machine, now) < patienceMs;
}
