/**
 * P7: a machine with our tag that no ledger entry knows. One is a creation that landed late: it enters the ledger with a
 * tombstone and is destroyed from there (P1). One that serves, or one of many, was lost by the ledger: it enters it again. Where much of the ledger is gone, the ledger is what is wrong (P3).
 */
import { quietReason } from './brakes.ts';
import { poolBudgetName } from './budget.ts';
import { act, alarm, type Draft, short, waitFor } from './draft.ts';
import { ageOf, type PlannerMemory } from './memory.ts';
import type { Action, Because } from './plan.ts';
import type { World } from './world.ts';

type Unknown = World['unknown'][number];
type Registration = Draft['snapshot']['registrations'][number]['record'];

/** Fewer than this are no sign of a damaged ledger. */
const fewest = 3;

/** Machines that the ledger lost, as far as this leader knows: most of what the provider lists is missing in it, or was. */
export function lostMachines({ unknown, units }: World, memory: PlannerMemory): string[] {
  const most = unknown.length >= fewest && unknown.length * 2 > unknown.length + units.length;
  return unknown.map(({ uuid }) => uuid).filter((uuid) => most || memory.since.lost.has(uuid));
}

export function adoptOrphans(draft: Draft): void {
  const { world, snapshot, memory } = draft;
  if (world.unknown.length === 0) return;
  const registered = new Map(snapshot.registrations.map(({ record }) => [record.machine, record]));
  const lost = world.unknown.filter(({ uuid }) => memory.since.lost.has(uuid)).length;
  if (lost > 0) {
    const message = `${lost} machines that the provider lists are missing in the ledger: it may be damaged; they enter it again, none is destroyed`;
    alarm(draft, 'LEDGER_LOST', message);
  }
  for (const machine of world.unknown) {
    const registration = registered.get(machine.uuid);
    const mayServe = machine.state === 'running' || machine.state === 'unknown';
    if (registration) readmitServing(draft, machine, registration);
    else if (memory.since.lost.has(machine.uuid) && mayServe) readmit(draft, machine, null);
    else adopt(draft, machine);
  }
}

/**
 * Why nothing is claimed now, or null: machines that the ledger lost may serve, and their agents are given the time to register
 * again before others are started in their place.
 */
export function lostReason({ world, snapshot, memory, policy, input }: Draft): Because | null {
  const registered = new Set(snapshot.registrations.map(({ record }) => record.machine));
  const awaited = world.unknown.filter(({ uuid, state }) => {
    const lost = memory.since.lost.has(uuid) && ageOf(memory, 'lost', uuid, input.now) < policy.lostMs;
    return lost && state === 'running' && !registered.has(uuid);
  });
  const why = `${awaited.length} machines that the ledger lost may serve it`;
  return awaited.length > 0 ? { cause: 'lost-ledger', why } : null;
}

/** As what it runs. What of that is not declared any more, or too many, drains from there as any other. */
function readmitServing(draft: Draft, machine: Unknown, { service, version, digest, port }: Registration): void {
  if (digest !== undefined) {
    readmit(draft, machine, { service, version, digest, port });
    return;
  }
  const what = `machine ${short(machine.uuid)} serves ${service}@${version}`;
  const message = `${what} but is not in the ledger, and what exactly it runs is not known: left alone, a person must look`;
  alarm(draft, 'ORPHAN_SERVES', message);
}

function readmit(draft: Draft, machine: Unknown, runs: Extract<Action, { kind: 'readmit' }>['runs']): void {
  const { policy, memory, input } = draft;
  const { uuid, providerId, operation, image, address, createdAt, state } = machine;
  const left = (runs ? policy.lossGraceMs : policy.lostMs) - ageOf(memory, 'orphan', uuid, input.now);
  const early: Because = { cause: 'lost-ledger', why: `it enters it again in ${Math.ceil(left / 1000)} s` };
  const unsure: Because = { cause: 'provider', why: `it is left alone: the provider says it is ${state}` };
  const held = quietReason(draft) ?? (left > 0 ? early : state === 'running' && address ? null : unsure);
  if (held !== null || !address) {
    waitOutside(draft, uuid, held ?? unsure);
    return;
  }
  const what = runs ? `it serves ${runs.service}@${runs.version}` : 'most of the ledger is missing';
  const reason = `the provider lists it, the ledger lost it: ${what}`;
  act(draft, { kind: 'readmit', uuid, providerId, operation, image, address, createdAt, runs, reason });
}

function adopt(draft: Draft, { uuid, providerId, operation, image, state }: Unknown): void {
  const quiet = quietReason(draft);
  const left = draft.policy.orphanMs - ageOf(draft.memory, 'orphan', uuid, draft.input.now);
  const early = quiet || left > 0 || state === 'unknown';
  const spent = early ? null : draft.budgets.take(poolBudgetName);
  if (!spent) {
    const soon = `it is taken for an orphan in ${Math.max(0, Math.ceil(left / 1000))} s`;
    const wanted = quiet ?? { cause: 'orphan', why: soon };
    waitOutside(draft, uuid, early ? wanted : draft.budgets.spent(poolBudgetName));
    return;
  }
  const reason = 'orphan: the provider lists it with our tag, the ledger does not know it';
  act(draft, { kind: 'adopt', uuid, providerId, operation, image, budget: poolBudgetName, spent, reason });
}

function waitOutside(draft: Draft, uuid: string, { cause, why }: Because): void {
  waitFor(draft, uuid, { cause, why: `is not in the ledger; ${why}` });
}
