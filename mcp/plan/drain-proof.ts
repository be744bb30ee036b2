/** Whether a draining instance has no request left: every live gateway says so, or it had its time. */
import type { GatewayRecord } from '../../registrar/records.ts';
import { short } from './draft.ts';
import { type PlannerMemory, stateAge } from './memory.ts';
import type { Unit } from './world.ts';

/**
 * Null where the drain is proven. Else what it waits for, for people. An instance whose registration vanished while it
 * drained gives no zxid to compare with: it gets its full drain timeout, unless its agent says that it stopped.
 */
export function drainWaitsFor(
  unit: Unit,
  gateways: readonly GatewayRecord[],
  memory: PlannerMemory,
  now: number,
): string | null {
  const timeout = unit.observed.assignment?.record.drainTimeoutMs ?? 0;
  const left = timeout - stateAge(memory, unit.ledger, now);
  if (left <= 0 || unit.observed.agent?.phase === 'stopped') return null;
  const atMost = `at most ${Math.ceil(left / 1000)} s more`;
  const registration = unit.registration;
  if (!registration) return `machine ${short(unit.uuid)} registers nothing any more: ${atMost}`;
  if (registration.record.state !== 'draining') return `its agent has yet to announce that it drains: ${atMost}`;
  const late = gateways.filter((gateway) => gateway.drained.asOf < registration.mzxid).map((gateway) => gateway.id);
  if (late.length === 0) return null;
  return `requests in flight at ${late.length === 1 ? 'gateway' : 'gateways'} ${late.join(', ')}: ${atMost}`;
}
