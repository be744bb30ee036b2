/** The small shapes that the schemas of an environment's parts are made of, each with its own words for what is wrong. */
import { z } from 'zod';
import { durationPattern, formatDuration, parseDuration } from './duration.ts';
import { formatSize, parseSize, sizePattern } from './size.ts';

/** Of a text where nothing else is said, in characters. */
export const longestText = 4096;

export const name = (what: string) =>
  z.string().regex(/^[a-z0-9-]{1,40}$/, `${what} must be 1 to 40 of a-z, 0-9 and -`);

/** For editors: what isAlwaysText names may also look like a number or a truth value. */
export const asWritten = { type: ['string', 'number', 'boolean'] };

/** Text for a process or a page: no control characters but tab and newline, no half surrogates. */
export const text = (message: string, most: number = longestText) =>
  z
    .string({ error: message })
    .max(most, `must have at most ${most} characters`)
    .refine((value) => !/[^\P{Cc}\t\n]/u.test(value) && value.isWellFormed(), 'must have no control characters');

export const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.number({ error: message }).int(message).min(least, message).max(most, message);
};

export const map = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: 'must be a map (name: value)' });

export const truth = z.boolean({ error: 'must be true or false' });

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

export const size = (leastBytes: number, mostBytes: number) => {
  const message = `must be a size such as 512KiB, 256MiB or 1GiB, from ${formatSize(leastBytes)} to ${formatSize(mostBytes)}`;
  return z
    .string({ error: message })
    .regex(sizePattern, message)
    .refine((value) => {
      const bytes = parseSize(value) ?? leastBytes;
      return bytes >= leastBytes && bytes <= mostBytes;
    }, message);
};

export const choice = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, { error: `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}` });
