/** What the controller would do first if another environment were declared now: `mcp plan` shows it. Pure. */
import type { DesiredRecord } from '../../registrar/records.ts';
import type { ProviderMachine } from '../../vm-factory/provider.ts';
import { makePlan } from './make-plan.ts';
import { destructionKeys, freshMemory, type PlannerMemory } from './memory.ts';
import type { Plan } from './plan.ts';
import { defaultPolicy } from './policy.ts';
import { remember } from './remember.ts';
import type { Snapshot } from './snapshot.ts';

/** Uuids and operation ids of a plan that is only looked at. */
const placeholder = 'new';

/**
 * The planner's own first plan for a snapshot in which `desired` is declared. A leader that has just looked around is
 * assumed (its quiet window is over), and a provider that agrees with the ledger: whoever asks is not the leader and does not
 * ask the cloud. Later steps follow as earlier ones come true.
 */
export function firstSteps(registry: Omit<Snapshot, 'provider' | 'limits' | 'at'>, desired: DesiredRecord): Plan {
  const snapshot: Snapshot = {
    ...registry,
    at: desired.at,
    desired: { record: desired, version: 0 },
    provider: registry.machines.flatMap(({ record }) => (record.providerId ? [asListed(record)] : [])),
    limits: null,
  };
  const memory = remember(settledMemory(snapshot, desired.at), snapshot, defaultPolicy, 0);
  return makePlan(snapshot, memory, defaultPolicy, { now: 0, newId: () => placeholder });
}

/**
 * The memory of a leader that has led for a while, at its clock's 0: its quiet window is over, and destructions are as old as the
 * wall clock says, which is good enough for what is only shown.
 */
export function settledMemory(
  { clusterId, budgets }: Pick<Snapshot, 'clusterId' | 'budgets'>,
  at: number,
): PlannerMemory {
  const memory = freshMemory({ clusterId, now: 0 });
  const destruction = Object.entries(budgets).flatMap(
    ([
      name,
      {
        record: { destroyed },
      },
    ]) =>
      destructionKeys(name, destroyed).map((key, index): [string, number] => [
        key,
        Math.min(0, (destroyed[index] ?? at) - at),
      ]),
  );
  return { ...memory, quietOver: true, since: { ...memory.since, destruction: new Map(destruction) } };
}

function asListed(record: Snapshot['machines'][number]['record']): ProviderMachine {
  const { uuid, providerId = '', operation, image, address, createdAt } = record;
  return { uuid, providerId, operation, image, state: 'running', address, createdAt };
}
