/** The instances of a service as the registry alone shows them, for those who do not lead and know no ages. Pure. */
import type { AgentRecord, MachineRecord, RegistrationRecord } from '../../registrar/records.ts';
import type { RolloutInstance } from './rollout-input.ts';

export interface SeenMachines {
  machines: readonly { record: MachineRecord; agent?: AgentRecord | null }[];
  registrations: readonly { record: RegistrationRecord }[];
}

export function seenInstances({ machines, registrations }: SeenMachines, service: string): RolloutInstance[] {
  const up = new Set(registrations.filter(({ record }) => record.state === 'up').map(({ record }) => record.machine));
  return machines.flatMap(({ record: { uuid, claim, state }, agent }): RolloutInstance[] => {
    if (claim?.service !== service || state !== 'claimed') return [];
    const live = up.has(uuid);
    const { version, digest } = claim;
    const ages = { healthyMs: live ? Number.POSITIVE_INFINITY : 0, waitingMs: 0 };
    return [{ machine: uuid, version, digest, state: live ? 'live' : 'coming', ...ages, reason: agent?.reason ?? '' }];
  });
}
