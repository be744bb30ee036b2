/** How many ready machines the pool shall hold: a fixed number, or what recent demand lets expect. */
import type { PoolSpec } from '../../specs/nouns.ts';

/** Claims by minute of the Unix epoch, oldest first; minutes without claims are left out. */
export type Claims = readonly (readonly [minute: number, count: number])[];

/** Demand is looked for in this many windows. */
const windows = 6;
const minuteMs = 60_000;
/** Minutes kept, whatever is declared: enough for six windows of the longest one. */
const mostMinutes = 6 * 360;

export interface PoolSize {
  target: number;
  /** For people. */
  why: string;
}

/** Pure. `at` is ms since the Unix epoch. A wrong clock missizes the pool, within its bounds, and does nothing else. */
export function poolSize({ size, demand }: PoolSpec, claims: Claims, at: number): PoolSize {
  if (!demand) return { target: size, why: 'as declared' };
  const span = Math.max(1, Math.ceil(demand.windowMs / minuteMs));
  const now = Math.floor(at / minuteMs);
  const recent = claims.filter(([minute]) => minute > now - windows * span && minute <= now);
  const peak = Math.max(0, ...recent.map(([minute]) => claimedWithin(recent, minute, span)));
  const target = Math.min(demand.max, Math.max(size, peak));
  const within = `at most ${peak} ${peak === 1 ? 'was' : 'were'} claimed within ${span} min, in the last ${windows * span} min`;
  return { target, why: `${within}; from ${size} to ${demand.max} are declared` };
}

function claimedWithin(claims: Claims, from: number, minutes: number): number {
  return claims.reduce((sum, [minute, count]) => (minute >= from && minute < from + minutes ? sum + count : sum), 0);
}

/** One more claim, at a time in ms since the Unix epoch. What is too old to matter is dropped. */
export function countClaim(claims: Claims, at: number): Claims {
  const minute = Math.floor(at / minuteMs);
  const others = claims.filter(([known]) => known !== minute && known > minute - mostMinutes);
  const known = claims.find(([other]) => other === minute)?.[1] ?? 0;
  return [...others, [minute, known + 1] as const].sort(([a], [b]) => a - b);
}
