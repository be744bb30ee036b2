/** Stops the refill with an image whose machines fail one after the other (faults 31 and 40). */

interface ImageFailures {
  /** Machines that never joined or failed verification, in a row. */
  inARow: number;
  /** When the last one failed; ms of the same clock as `now` below. */
  lastAt: number;
  lastReason: string;
}

/** By image; an image that is not here never failed, or worked since. */
export type ImageBreaker = ReadonlyMap<string, ImageFailures>;

export const closedBreaker: ImageBreaker = new Map();

/** A machine of this image was given up before it was ready. Tell it once a machine. */
export function machineFailed(breaker: ImageBreaker, image: string, reason: string, now: number): ImageBreaker {
  const inARow = (breaker.get(image)?.inARow ?? 0) + 1;
  return new Map([...breaker, [image, { inARow, lastAt: now, lastReason: reason }]]);
}

/** A machine of this image became ready: all is forgiven. */
export function machineProven(breaker: ImageBreaker, image: string): ImageBreaker {
  if (!breaker.has(image)) return breaker;
  return new Map([...breaker].filter(([name]) => name !== image));
}

/** `open`: create none. `probing`: the cooldown is over, have one on its way at a time. */
export function breakerState(
  breaker: ImageBreaker,
  image: string,
  now: number,
  limits: { failures: number; cooldownMs: number },
): 'closed' | 'probing' | 'open' {
  const known = breaker.get(image);
  if (!known || known.inARow < limits.failures) return 'closed';
  return now - known.lastAt < limits.cooldownMs ? 'open' : 'probing';
}
