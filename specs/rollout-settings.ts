/** How a version takes another's place where the service says nothing else. */
import type { RolloutSettings, Service, Share } from './nouns.ts';

/**
 * New before old and never fewer than declared (surge as Google's MIG, nothing unavailable as AWS's instance refresh at 100 %),
 * one canary, and back by itself: what Nomad and Kubernetes leave off by default.
 */
export const defaultRollout: RolloutSettings = {
  surge: '25%',
  unavailable: 0,
  batch: '25%',
  canary: 1,
  minHealthyMs: 5_000,
  healthyDeadlineMs: 120_000,
  progressDeadlineMs: 600_000,
  bakeMs: 10_000,
  pauses: [],
  undoMs: 600_000,
  maxFailures: 0,
  autoRollback: true,
  analysis: { minRequests: 50, errorTolerance: 0.01, slowTolerance: 0.1, patienceMs: 120_000 },
  allowBreaking: null,
};

/** The settings of a service's rollouts, `over` those it declares, those over the defaults. */
export function rolloutSettings(
  service: Pick<Service, 'rollout'>,
  over: Partial<RolloutSettings> = {},
): RolloutSettings {
  return { ...defaultRollout, ...service.rollout, ...over };
}

/** With neither more nor fewer instances than declared nothing could ever move (Kubernetes refuses this too). */
export function leavesNoRoom({ surge, unavailable }: Pick<RolloutSettings, 'surge' | 'unavailable'>): boolean {
  return [surge, unavailable].every((share) => share === 0 || share === '0%');
}

/** How many of `total` a share is; percents are rounded as told. Never more than `total`. */
export function shareOf(share: Share, total: number, rounding: 'up' | 'down'): number {
  const percent = typeof share === 'string' ? /^(\d{1,3})%$/.exec(share)?.[1] : undefined;
  const exact = percent === undefined ? Number(share) : (total * Number(percent)) / 100;
  const whole = rounding === 'up' ? Math.ceil(exact) : Math.floor(exact);
  return Math.min(total, Math.max(0, Number.isFinite(whole) ? whole : 0));
}
