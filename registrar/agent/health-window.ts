/** Rise and fall counting over health checks, as a pure step; flapping instances have to prove themselves longer. */

export interface HealthWindow {
  healthy: boolean;
  /** Consecutive passes and failures; one of them is always 0. */
  passes: number;
  failures: number;
  /** How often it went from healthy to unhealthy lately; lessened by one for each calm period. */
  flaps: number;
  /** When `flaps` was last counted or lessened, on the caller's monotonic clock, ms. */
  flapsAt: number;
}

/** Healthy for this long, ms, forgives one flap. */
const calmMs = 60_000;
/** The longest proof asked of a flapping instance, as a multiple of `rise`. */
const mostDamping = 16;

export function openHealthWindow(now: number): HealthWindow {
  return { healthy: false, passes: 0, failures: 0, flaps: 0, flapsAt: now };
}

/** Consecutive passes needed now: `rise`, doubled for each flap after the first that is not yet forgiven. */
export function neededPasses(window: HealthWindow, rise: number): number {
  return rise * Math.min(mostDamping, 2 ** Math.max(0, window.flaps - 1));
}

/**
 * The window after one more check.
 * @param now monotonic ms
 */
export function stepHealthWindow(
  window: HealthWindow,
  rules: { rise: number; fall: number },
  passed: boolean,
  now: number,
): HealthWindow {
  const next = forgive(window, now);
  next.passes = passed ? window.passes + 1 : 0;
  next.failures = passed ? 0 : window.failures + 1;
  if (!next.healthy && passed && next.passes >= neededPasses(next, rules.rise)) {
    next.healthy = true;
    next.flapsAt = now;
  } else if (next.healthy && !passed && next.failures >= rules.fall) {
    next.healthy = false;
    next.flaps += 1;
    next.flapsAt = now;
  }
  return next;
}

function forgive(window: HealthWindow, now: number): HealthWindow {
  if (!window.healthy || window.flaps === 0) return { ...window };
  const forgiven = Math.min(window.flaps, Math.floor((now - window.flapsAt) / calmMs));
  return { ...window, flaps: window.flaps - forgiven, flapsAt: window.flapsAt + forgiven * calmMs };
}
