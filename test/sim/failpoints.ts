/** Every failpoint there is, by what brings a controller to it. */
import type { Action } from '../../mcp/plan/plan.ts';

/** The compiler asks for a word on each kind of action: whether rollouts act so, or only what befalls machines and the ledger. */
const kinds: Record<Action['kind'], 'rollout' | 'beside'> = {
  create: 'rollout',
  note: 'rollout',
  advance: 'rollout',
  claim: 'rollout',
  confirm: 'rollout',
  drain: 'rollout',
  retire: 'rollout',
  destroy: 'rollout',
  bury: 'rollout',
  roll: 'rollout',
  configure: 'beside',
  condemn: 'beside',
  readmit: 'beside',
  adopt: 'beside',
};

/**
 * Those that a rollout comes to where machines are few, and those that the life of machines comes to without one: all but the
 * adoption of what is made many minutes late, which is left to chance (simulation.test.ts).
 */
export const failpoints = {
  rollout: pointsOf(Object.keys(kinds).filter((kind) => kinds[kind as Action['kind']] === 'rollout')),
  life: pointsOf(Object.keys(kinds).filter((kind) => kind !== 'roll' && kind !== 'adopt')),
};

function pointsOf(names: readonly string[]): string[] {
  return [...names.flatMap((kind) => [`${kind}.before`, `${kind}.after`]), 'create.answered'];
}
