/** P6: creations go 1, 2, 4, ... while they work, and start over, later, when one fails (after Kubernetes' slowStartBatch). */

export interface SlowStart {
  /** How many creations the next plan may hold; at least 1. */
  batch: number;
  /** No creation before this time; ms of the same clock as `now` below. */
  blockedUntil: number;
  /** Why it is blocked, for people; empty where it never was. */
  reason: string;
  /** Creations that failed in a row; absent: none. */
  failures?: number;
}

export interface SlowStartPolicy {
  maxBatch: number;
  /** ms until the next creation after one that failed; doubled with each in a row, up to the next figure. */
  backoffMs: number;
  /** ms until the next creation after a refusal (quota, bad request), which trying again does not mend. */
  refusedBackoffMs: number;
}

export const defaultSlowStartPolicy: SlowStartPolicy = { maxBatch: 16, backoffMs: 3_000, refusedBackoffMs: 30_000 };

/** What became of the creations of one plan. Calls with an unknown outcome count as failed. */
export interface CreateOutcome {
  succeeded: number;
  failed: number;
  /** The provider's words, where it refused one of those failed. */
  refused?: string;
  /** Its words where one failed otherwise, a full disk for instance. */
  why?: string;
}

export const freshSlowStart: SlowStart = { batch: 1, blockedUntil: 0, reason: '' };

/** Doubles while whole batches work; a failure starts it over and blocks; a plan that created nothing changes nothing. */
export function nextSlowStart(
  before: SlowStart,
  outcome: CreateOutcome,
  now: number,
  policy: SlowStartPolicy = defaultSlowStartPolicy,
): SlowStart {
  if (outcome.failed > 0) {
    // Those of one plan fail together.
    const failures = (before.failures ?? 0) + (now < before.blockedUntil ? 0 : 1);
    const growing = Math.min(policy.backoffMs * 2 ** Math.max(0, failures - 1), policy.refusedBackoffMs);
    const pause = outcome.refused === undefined ? growing : policy.refusedBackoffMs;
    const said = outcome.why === undefined ? '' : `: ${outcome.why}`;
    return {
      batch: 1,
      blockedUntil: now + pause,
      reason: outcome.refused ?? `the last creation failed${said}`,
      failures,
    };
  }
  if (outcome.succeeded === 0) return before;
  // One more for each success: a full batch doubles, half a batch grows by half.
  return { batch: Math.min(before.batch + outcome.succeeded, policy.maxBatch), blockedUntil: 0, reason: '' };
}
