/**
 * P4: an instance leaves only where more are live than are declared, whatever its version: the old goes after the new
 * serves. What goes first: what an operator told to go, then versions and digests not declared any more, then what is over a
 * version's count; among equals as `chooseVictims` says. An instance that
 * the provider does not call running may be dead, its session not yet over: nothing leaves in reliance on it.
 */
import { serviceBrake } from './brakes.ts';
import { isGivenUp } from './budget.ts';
import { type Chosen, chooseVictims, mayLeave } from './choose-victims.ts';
import { liveOf } from './count-instances.ts';
import { act, type Draft, type ServiceView, short, wait } from './draft.ts';
import { countIf, type Unit } from './world.ts';

export function drainSurplus(draft: Draft): void {
  for (const service of draft.services) drainService(draft, service);
}

interface Victim {
  unit: Unit;
  reason: string;
}

function drainService(draft: Draft, service: ServiceView): void {
  const { name, live, total } = service;
  const { chosen, protectedToo, protectedOnes } = surplusOf(draft, service);
  if (protectedToo > 0) {
    const ids = protectedOnes.map(({ uuid }) => short(uuid));
    const why = `${protectedToo} to go, but what is left is protected (${ids.join(', ')}): mcp machines unprotect ${ids[0]}`;
    wait(draft, { what: name, service: name, cause: 'protected', why });
  }
  const victims = chosen.filter(({ unit }) => !draft.busy.has(unit.uuid));
  if (victims.length === 0) return;
  const brake = serviceBrake(draft, service);
  const spare = withinSurplus(victims, live - total, live - doubtfulCount(draft, name) - total);
  const drained = brake ? [] : withinBudget(draft, name, spare);
  for (const { unit, reason } of drained) drain(draft, unit, reason);
  const left = victims.length - drained.length;
  if (left === 0) return;
  const late = `their replacements must serve first: ${live} live, ${total} declared`;
  const isLate = drained.length === spare.length;
  const held = brake ?? (isLate ? ({ cause: 'replacement', why: late } as const) : draft.budgets.spent(name));
  wait(draft, { what: name, service: name, cause: held.cause, why: `${left} to go: ${held.why}` });
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

interface Surplus {
  /** In the order in which they go. */
  chosen: Victim[];
  /** How many more would go, were they not protected. */
  protectedToo: number;
  /** Those of which they would be. */
  protectedOnes: Unit[];
}

function surplusOf(draft: Draft, service: ServiceView): Surplus {
  const outdated = service.outdated.filter((unit) => unit.serving);
  const notDeclared = ({ unit }: Chosen) => `${unit.ledger.claim?.version} as it was claimed is not declared any more`;
  const chosen = chooseVictims(draft, outdated, outdated.length).map((one) => victimOf(one, notDeclared(one)));
  const protectedOnes = outdated.filter((unit) => !mayLeave(unit));
  let protectedToo = protectedOnes.length;
  for (const version of service.versions) {
    const over = Math.min(version.serving.length, liveOf(version) - version.version.count);
    if (over <= 0) continue;
    const reason = `${liveOf(version)} of ${version.version.version} serve, ${version.version.count} are declared`;
    const leave = chooseVictims(draft, version.serving, over);
    chosen.push(...leave.map((one) => victimOf(one, reason)));
    if (leave.length === over) continue;
    protectedToo += over - leave.length;
    protectedOnes.push(...version.serving.filter((unit) => !mayLeave(unit)));
  }
  const told = ({ unit }: Victim) => unit.ledger.toLeave !== undefined;
  return { chosen: [...chosen.filter(told), ...chosen.filter((victim) => !told(victim))], protectedToo, protectedOnes };
}

function victimOf({ unit, because }: Chosen, reason: string): Victim {
  return { unit, reason: because === '' ? reason : `${reason}; ${because}` };
}

/** As many as can be paid for, beside those on their way out: by the rollout that gave them up, or by the budget. */
function withinBudget(draft: Draft, name: string, victims: readonly Victim[]): Victim[] {
  const { budgets, world, busy } = draft;
  const leaving = (world.unitsOf.get(name) ?? []).filter(
    (unit) => unit.ledger.state === 'draining' && !busy.has(unit.uuid),
  );
  let granted = budgets.granted(name);
  let own = budgets.remaining(name);
  const pays = (unit: Unit) => {
    if (granted > 0 && isGivenUp(draft, unit)) {
      granted -= 1;
      return true;
    }
    own -= 1;
    return own >= 0;
  };
  for (const unit of leaving) pays(unit);
  return victims.filter(({ unit }) => pays(unit));
}

function drain(draft: Draft, unit: Unit, reason: string): void {
  const claim = unit.ledger.claim;
  if (!claim) return;
  const { service, version } = claim;
  act(draft, { kind: 'drain', uuid: unit.uuid, service, version, operation: draft.input.newId(), reason });
}
