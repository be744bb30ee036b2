/** When to try again after a crash or a failed fetch: quick at first, slower each time, never giving up. Pure. */

export interface RetryPace {
  /** Failures in a row that came soon after their start. */
  quick: number;
}

export interface RetryRules {
  /** A try that lasted this long, ms, was a success: counting starts anew. */
  quickMs: number;
  firstDelayMs: number;
  /** The pace once `failed`, and the longest delay, ms. */
  slowDelayMs: number;
  /** Quick failures in a row until the instance is called failed. */
  failAfter: number;
}

export const defaultRetryRules: RetryRules = { quickMs: 10_000, firstDelayMs: 500, slowDelayMs: 60_000, failAfter: 5 };

export const freshPace: RetryPace = { quick: 0 };

export interface NextTry {
  pace: RetryPace;
  delayMs: number;
  /** True from the `failAfter`th quick failure on: say so, and go on trying slowly. */
  failed: boolean;
}

/**
 * What to do after a try failed.
 * @param lastedMs how long it ran before it failed
 * @param hopeless the same try can't succeed (a wrong digest): slow at once
 */
export function nextTry(pace: RetryPace, lastedMs: number, rules: RetryRules, hopeless = false): NextTry {
  const quick = lastedMs >= rules.quickMs ? 1 : pace.quick + 1;
  const failed = hopeless || quick >= rules.failAfter;
  const delayMs = failed ? rules.slowDelayMs : Math.min(rules.slowDelayMs, rules.firstDelayMs * 2 ** (quick - 1));
  return { pace: { quick }, delayMs, failed };
}
