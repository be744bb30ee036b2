/**
 * P4: an instance leaves only where more are live than are declared, whatever its version: the old goes after the new
 * serves. What goes first: versions and digests not declared any more, then what is over a version's count, machines of another
 * image before the rest. An instance that
 * the provider does not call running may be dead, its session not yet over: nothing leaves in reliance on it.
 */
import { serviceBrake } from './brakes.ts';
import { liveOf } from './count-instances.ts';
import { act, type Draft, type ServiceView, wait } from './draft.ts';
import { isOfImage } from './recycle-images.ts';
import { newestFirst } from './retire-machines.ts';
import { countIf, type Unit } from './world.ts';

export function drainSurplus(draft: Draft): void {
  for (const service of draft.services) drainService(draft, service);
}

interface Victim {
  unit: Unit;
  reason: string;
}

function drainService(draft: Draft, service: ServiceView): void {
  const victims = chooseVictims(draft, service).filter(({ unit }) => !draft.busy.has(unit.uuid));
  if (victims.length === 0) return;
  const { name, live, total } = service;
  const brake = serviceBrake(draft, service);
  const room = brake ? 0 : Math.max(0, draft.budgets.remaining(name) - leaving(draft, name));
  const spare = withinSurplus(victims, live - total, live - doubtfulCount(draft, name) - total);
  const drained = spare.slice(0, room);
  for (const { unit, reason } of drained) drain(draft, unit, reason);
  const left = victims.length - drained.length;
  if (left === 0) return;
  const short = `their replacements must serve first: ${live} live, ${total} declared`;
  const spent = `the destruction budget of ${name} is used up for now`;
  wait(draft, name, `${left} to go: ${brake ?? (drained.length === spare.length ? short : spent)}`);
}

/** As many victims as may go: of those that surely live no more than surely live in excess, of all no more than seem to. */
function withinSurplus(victims: readonly Victim[], surplus: number, sureSurplus: number): Victim[] {
  const spare: Victim[] = [];
  let sure = 0;
  for (const victim of victims) {
    if (spare.length >= surplus) break;
    if (!isDoubtful(victim.unit)) {
      if (sure >= sureSurplus) continue;
      sure += 1;
    }
    spare.push(victim);
  }
  return spare;
}

function isDoubtful(unit: Unit): boolean {
  return unit.provider?.state !== 'running';
}

function doubtfulCount(draft: Draft, service: string): number {
  return countIf(draft.world.unitsOf.get(service) ?? [], (unit) => unit.serving && isDoubtful(unit));
}

function chooseVictims(draft: Draft, service: ServiceView): Victim[] {
  const outdated = newestFirst(service.outdated.filter((unit) => unit.serving)).map((unit) => ({
    unit,
    reason: `${unit.ledger.claim?.version} as it was claimed is not declared any more`,
  }));
  const excess = service.versions.flatMap((version) => {
    const over = liveOf(version) - version.version.count;
    if (over <= 0) return [];
    const newest = newestFirst(version.serving);
    const ofImage = (unit: Unit) => isOfImage(draft.world, unit);
    return [...newest.filter((unit) => !ofImage(unit)), ...newest.filter(ofImage)].slice(0, over).map((unit) => ({
      unit,
      reason: `${liveOf(version)} of ${version.version.version} serve, ${version.version.count} are declared`,
    }));
  });
  return [...outdated, ...excess];
}

/** On their way out and not yet paid for from the budget. */
function leaving(draft: Draft, service: string): number {
  const units = draft.world.unitsOf.get(service) ?? [];
  return countIf(units, (unit) => unit.ledger.state === 'draining' && !draft.busy.has(unit.uuid));
}

function drain(draft: Draft, unit: Unit, reason: string): void {
  const claim = unit.ledger.claim;
  if (!claim) return;
  const { service, version } = claim;
  act(draft, { kind: 'drain', uuid: unit.uuid, service, version, operation: draft.input.newId(), reason });
}
