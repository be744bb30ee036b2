/** Reasons for which nothing is planned at all, or nothing destructive. */
import type { DesiredRecord } from '../../registrar/records.ts';
import type { WaitCause } from '../../registrar/wait-causes.ts';
import { type Draft, idlePlan, type ServiceView, wait } from './draft.ts';
import { type PlannerMemory, wentBack } from './memory.ts';
import type { Because, Plan } from './plan.ts';
import type { Policy } from './policy.ts';
import type { Snapshot } from './snapshot.ts';

/** What is to be made true; or, where the snapshot may not be acted upon, a plan that does nothing. */
export function readDesired(
  snapshot: Snapshot,
  memory: PlannerMemory,
  policy: Policy,
  now: number,
): { desired: DesiredRecord } | { halted: Plan } {
  const stop = (cause: WaitCause, why: string, code?: string) => ({
    halted: idlePlan(snapshot, [{ what: 'everything', cause, why }], code ? [{ code, message: why }] : []),
  });
  if (snapshot.clusterId !== memory.clusterId) {
    const why = `the registry is of cluster ${snapshot.clusterId}, this controller led ${memory.clusterId}: it may have been wiped or swapped`;
    return stop('registry', why, 'CLUSTER_MISMATCH');
  }
  const desired = snapshot.desired?.record;
  if (!desired) return stop('undeclared', 'nothing is declared yet: apply an environment');
  if (wentBack(memory, desired)) {
    const why = `the registry shows generation ${desired.generation} after ${memory.generation}: it may have been restored from an old copy`;
    return stop('registry', why, 'REGISTRY_WENT_BACK');
  }
  const unseen = snapshot.asOf < memory.lastWriteZxid;
  if (unseen && now - memory.lastWriteAt < policy.unseenWriteMs) {
    return stop('own-writes', 'own writes: this view of the registry is older than what this controller wrote');
  }
  return { desired };
}

/** P13: while suspended MCP watches and notes, and does nothing else, not even what only adds. True while it is. */
export function holdsBySuspension(draft: Draft): boolean {
  const { suspended, by, reason } = draft.snapshot.suspended.record;
  const why = `suspended by ${by || 'unknown'}: ${reason || 'no reason given'}; mcp resume goes on`;
  if (suspended) wait(draft, { what: 'everything', cause: 'suspended', why });
  return suspended;
}

/** P14: why nothing may be destroyed in this term yet, or null. */
export function quietReason(draft: Draft): Because | null {
  if (draft.memory.quietOver) return null;
  const seconds = Math.round(draft.policy.quietWindowMs / 1000);
  const why = `quiet window: this leader destroys nothing in its first ${seconds} s and until the registrations stand still`;
  return { cause: 'quiet', why };
}

/** Why nothing of this service may be drained or retired now (P3, P14), or null. */
export function serviceBrake(draft: Draft, service: ServiceView): Because | null {
  const quiet = quietReason(draft);
  if (quiet) return quiet;
  const { hold, live, level } = service;
  const why = `mass failure: ${live} of lately ${level} instances are live, so none is taken away`;
  return hold ? { cause: 'mass-failure', why } : null;
}
