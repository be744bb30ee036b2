import { adoptOrphans } from './adopt-orphans.ts';
import { holdsBySuspension, readDesired } from './brakes.ts';
import { openBudgets } from './budget.ts';
import { buryDead } from './bury-dead.ts';
import { claimMachines } from './claim-machines.ts';
import { countInstances } from './count-instances.ts';
import { destroyMachines } from './destroy-machines.ts';
import { type Draft, type PlanInput, planOf } from './draft.ts';
import { drainSurplus } from './drain-surplus.ts';
import { followConfiguration } from './follow-configuration.ts';
import { followRollouts } from './follow-rollouts.ts';
import { keepPool } from './keep-pool.ts';
import { serviceLevel } from './mass-failure.ts';
import type { PlannerMemory } from './memory.ts';
import { noteFacts } from './note-facts.ts';
import type { Plan } from './plan.ts';
import type { Policy } from './policy.ts';
import { retireMachines } from './retire-machines.ts';
import type { Snapshot } from './snapshot.ts';
import { describeWorld, desiredTotal, serviceNames, type World } from './world.ts';

/**
 * The next steps from what is to what is declared, and for each thing not done why it waits. Changes nothing. `memory` must
 * have taken in this very snapshot (`remember`).
 */
export function makePlan(snapshot: Snapshot, memory: PlannerMemory, policy: Policy, input: PlanInput): Plan {
  const read = readDesired(snapshot, memory, policy, input.now);
  if ('halted' in read) return read.halted;

  const draft = startDraft(snapshot, describeWorld(snapshot, read.desired), memory, policy, input);
  noteFacts(draft);
  if (holdsBySuspension(draft)) return planOf(draft);

  followRollouts(draft);
  followConfiguration(draft);
  buryDead(draft);
  claimMachines(draft);
  retireMachines(draft);
  drainSurplus(draft);
  destroyMachines(draft);
  adoptOrphans(draft);
  keepPool(draft);
  return planOf(draft);
}

function startDraft(snapshot: Snapshot, world: World, memory: PlannerMemory, policy: Policy, input: PlanInput): Draft {
  return {
    snapshot,
    world,
    memory,
    policy,
    input,
    budgets: openBudgets(snapshot, world, memory, policy, input.now),
    services: serviceNames(world).map((name) => ({
      ...countInstances(world, memory, policy, name, input.now),
      ...serviceLevel(world, memory, policy, name),
      total: desiredTotal(world, name),
    })),
    actions: [],
    waiting: [],
    alarms: [],
    busy: new Set(),
    unmetClaims: new Map(),
    heldClaims: 0,
    dueMs: Number.POSITIVE_INFINITY,
  };
}
