/** Machines that serve no more, or never did, get their tombstone, as far as the destruction budget reaches (P2). */
import { serviceBrake } from './brakes.ts';
import { mayLeave } from './choose-victims.ts';
import { liveOf } from './count-instances.ts';
import { act, type Draft, type ServiceView, waitFor } from './draft.ts';
import { drainWaitsFor } from './drain-proof.ts';
import { startFailure } from './machine-health.ts';
import { surgeOf } from './recycle-images.ts';
import type { Unit } from './world.ts';

export function retireMachines(draft: Draft): void {
  for (const service of draft.services) {
    for (const { unit, reason } of toRetire(draft, service)) retire(draft, unit, service, reason);
  }
}

function toRetire(draft: Draft, service: ServiceView): { unit: Unit; reason: string }[] {
  const units = (draft.world.unitsOf.get(service.name) ?? []).filter((unit) => unit.condition === 'alive');
  return [...drained(draft, units), ...failed(draft, units), ...unwanted(draft, service)];
}

function drained(draft: Draft, units: readonly Unit[]): { unit: Unit; reason: string }[] {
  const { snapshot, memory, input } = draft;
  return units
    .filter((unit) => unit.ledger.state === 'draining')
    .flatMap((unit) => {
      const left = drainWaitsFor(unit, snapshot.gateways, memory, input.now);
      if (left === null) return [{ unit, reason: `drained: ${unit.ledger.reason ?? 'no more wanted'}` }];
      waitFor(draft, unit.uuid, { cause: 'drain', why: `drains: ${left}` });
      return [];
    });
}

function failed(draft: Draft, units: readonly Unit[]): { unit: Unit; reason: string }[] {
  return units.flatMap((unit) => {
    const reason = startFailure(unit, draft.memory, draft.policy, draft.input.now);
    return reason === null ? [] : [{ unit, reason }];
  });
}

/** Machines on their way to what is not declared any more, or more of them than are: they serve nothing yet. */
function unwanted(draft: Draft, service: ServiceView): { unit: Unit; reason: string }[] {
  const outdated = service.outdated
    .filter((unit) => !unit.serving && mayLeave(unit))
    .map((unit) => ({ unit, reason: 'what it was to run is not declared any more' }));
  const others = service.versions.flatMap((version) => {
    // One that an operator told to go has nothing to finish: what it was to do another one does.
    const told = version.coming.filter(({ ledger }) => ledger.toLeave !== undefined);
    const over =
      liveOf(version) + version.coming.length - told.length - version.version.count - surgeOf(draft, version);
    const excess = newestFirst(version.coming.filter((unit) => mayLeave(unit) && !told.includes(unit)));
    return [
      ...told.map((unit) => ({ unit, reason: `${unit.ledger.toLeave?.by} told it to go, and it does not serve` })),
      ...excess.slice(0, Math.max(0, over)).map((unit) => ({
        unit,
        reason: `${version.version.count} of ${version.version.version} are declared, it is one more`,
      })),
    ];
  });
  return [...outdated, ...others];
}

function retire(draft: Draft, unit: Unit, service: ServiceView, reason: string): void {
  if (draft.busy.has(unit.uuid)) return;
  const brake = serviceBrake(draft, service);
  const spent = brake ? null : draft.budgets.take(service.name, unit);
  if (spent) {
    act(draft, {
      kind: 'retire',
      uuid: unit.uuid,
      budget: service.name,
      spent,
      operation: draft.input.newId(),
      reason,
    });
  } else {
    const { cause, why } = brake ?? draft.budgets.spent(service.name);
    waitFor(draft, unit.uuid, { cause, why: `would be retired (${reason}); ${why}` });
  }
}

/** The latest claims first, as they are furthest from serving; UUIDs make it the same each time. */
function newestFirst(units: readonly Unit[]): Unit[] {
  const claimedAt = (unit: Unit) => unit.ledger.claim?.at ?? 0;
  return [...units].sort((a, b) => claimedAt(b) - claimedAt(a) || (a.uuid < b.uuid ? -1 : 1));
}
