/** Parts that the shapes of an environment file share. No issue uses zod's own wording. */
import { z } from 'zod';
import { durationPattern, formatDuration, parseDuration } from './duration.ts';

/** A whole number within bounds. */
export const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.number({ error: message }).int(message).min(least, message).max(most, message);
};

/** A map of known keys. */
export const map = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: 'must be a map (name: value)' });

/** A duration as text, within bounds. */
export const duration = (leastMs: number, mostMs: number) => {
  const message = `must be a duration such as 500ms, 2s or 1m, from ${formatDuration(leastMs)} to ${formatDuration(mostMs)}`;
  return z
    .string({ error: message })
    .regex(durationPattern, message)
    .refine((value) => {
      const ms = parseDuration(value) ?? leastMs;
      return ms >= leastMs && ms <= mostMs;
    }, message);
};
