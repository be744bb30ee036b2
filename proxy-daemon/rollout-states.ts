/** What people are told of rollouts: whose weights they set. Pure. */
import type { Rollouts } from '../registrar/recipes/effective-environment.ts';
import type { WatchedOperation } from './gateway-backend.ts';
import type { RolloutState } from './status-report.ts';

export function rolloutStates(rollouts: Rollouts): RolloutState[] {
  return Object.values(rollouts).flatMap(({ record: { service, phase, wanted, from, to } }) =>
    wanted.length === 0
      ? []
      : [{ service, phase, from: from.map(({ version }) => version), to: to.map(({ version }) => version) }],
  );
}

/** Operations that the next versions lack: whether they are still called is asked until another rollout begins. */
export function watchedOperations(rollouts: Rollouts): WatchedOperation[] {
  return Object.values(rollouts).flatMap(({ record: { service, gate } }) =>
    (gate?.watched ?? []).map((operation) => ({ service, operation })),
  );
}
