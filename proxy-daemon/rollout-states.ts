/** What people are told of rollouts: whose weights they set. Pure. */
import type { Rollouts } from '../registrar/recipes/effective-environment.ts';
import type { RolloutState } from './status-report.ts';

export function rolloutStates(rollouts: Rollouts): RolloutState[] {
  return Object.values(rollouts).flatMap(({ record: { service, phase, wanted, from, to } }) =>
    wanted.length === 0
      ? []
      : [{ service, phase, from: from.map(({ version }) => version), to: to.map(({ version }) => version) }],
  );
}
