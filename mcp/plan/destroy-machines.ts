/** Tombstoned machines are destroyed once what they ran has stopped, or had its time to. */
import { quietReason } from './brakes.ts';
import { act, type Draft, waitFor } from './draft.ts';
import { stateAge } from './memory.ts';
import type { Because } from './plan.ts';
import type { Unit } from './world.ts';

export function destroyMachines(draft: Draft): void {
  for (const unit of draft.world.units) {
    const { ledger, provider } = unit;
    if (ledger.state !== 'deleting' || !ledger.tombstone || !provider || ledger.providerId !== provider.providerId)
      continue;
    const left = destroyWaitsFor(draft, unit);
    if (left) {
      waitFor(draft, unit.uuid, left);
      continue;
    }
    act(draft, {
      kind: 'destroy',
      uuid: unit.uuid,
      providerId: provider.providerId,
      reason: ledger.tombstone.reason,
    });
  }
}

function destroyWaitsFor(draft: Draft, unit: Unit): Because | null {
  const { memory, policy, input } = draft;
  const quiet = quietReason(draft);
  if (quiet) return { ...quiet, why: `is to be destroyed; ${quiet.why}` };
  if (unit.provider?.state === 'unknown')
    return { cause: 'provider', why: 'is to be destroyed; the provider cannot tell its state' };
  const asked = memory.destroyAskedAt.get(unit.uuid);
  if (asked !== undefined && input.now - asked < policy.destroyAgainMs)
    return { cause: 'provider', why: 'its destruction was asked for; the provider still lists it' };
  const assignment = unit.observed.assignment?.record;
  const agent = unit.observed.agent;
  if (unit.condition === 'stopped' || !assignment || !agent || agent.phase === 'stopped') return null;
  const left = assignment.stopTimeoutMs + policy.stopGraceMs - stateAge(memory, unit.ledger, input.now);
  const why = `stops its service: at most ${Math.ceil(left / 1000)} s more`;
  return left > 0 ? { cause: 'stop', why } : null;
}
