/** What the controller would do first if another environment were declared now: `mcp plan` shows it. Pure. */
import type { DesiredRecord } from '../../registrar/records.ts';
import type { ProviderMachine } from '../../vm-factory/provider.ts';
import { makePlan } from './make-plan.ts';
import { freshMemory } from './memory.ts';
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
  const start = { ...freshMemory({ clusterId: snapshot.clusterId, now: 0 }), quietOver: true };
  const memory = remember(start, snapshot, defaultPolicy, 0);
  return makePlan(snapshot, memory, defaultPolicy, { now: 0, newId: () => placeholder });
}

function asListed(record: Snapshot['machines'][number]['record']): ProviderMachine {
  const { uuid, providerId = '', operation, image, address, createdAt } = record;
  return { uuid, providerId, operation, image, state: 'running', address, createdAt };
}
