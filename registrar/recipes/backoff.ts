/** A backoff as a value: how long to wait before attempt number n. */
export interface Backoff {
  /** ms before the first retry. */
  initialMs: number;
  /** No wait is longer. */
  maxMs: number;
}

/**
 * The wait in ms before retry `attempt` (0 for the first): doubled each time up to the maximum, and spread over its upper half
 * by `jitter` (0 to 1), so that many clients cut off together do not come back together.
 */
export function backoffDelay(backoff: Backoff, attempt: number, jitter: number): number {
  const full = Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * jitter;
}
