/** The two sides of a rollout, and how counts and weights are shared out among the versions of one. Pure. */
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Version } from '../../specs/nouns.ts';

type Wanted = RolloutRecord['wanted'][number];

/** `total` instances over the versions, in proportion to their counts (largest remainder; the earlier version wins a tie). */
export function shareCounts(side: readonly Version[], total: number): number[] {
  const shares = parts(
    side,
    side.map(({ count }) => count),
  );
  const exact = shares.map((share) => share * total);
  const counts = exact.map(Math.floor);
  const order = exact.map((value, at) => ({ at, rest: value - Math.floor(value) })).sort((a, b) => b.rest - a.rest);
  let left = total - counts.reduce((sum, count) => sum + count, 0);
  for (const { at } of order) {
    if (left <= 0) break;
    counts[at] = (counts[at] ?? 0) + 1;
    left -= 1;
  }
  return counts;
}

/** A side's `weight` over its versions: in proportion to their declared weights where all have one, else to their counts. */
function shareWeight(side: readonly Version[], weight: number): number[] {
  const declared = side.map((version) => version.weight);
  const sizes = declared.every((one) => one !== undefined) ? declared : side.map(({ count }) => count);
  // Gateways know weights to three decimals.
  return parts(side, sizes).map((share) => Math.round(share * weight * 1000) / 1000);
}

/** What is wanted of one side. */
export function wantedOf(side: readonly Version[], count: number, weight: number): Wanted[] {
  const counts = shareCounts(side, count);
  const weights = shareWeight(side, weight);
  return side.map(({ version }, at) => ({ version, count: counts[at] ?? 0, weight: weights[at] ?? 0 }));
}

function parts(side: readonly Version[], sizes: readonly number[]): number[] {
  const sum = sizes.reduce((all, size) => all + size, 0);
  return sizes.map((size, at) => (sum > 0 ? size / sum : at === 0 && side.length > 0 ? 1 : 0));
}

/** Instances of these versions, as declared or as they ran. */
export function totalOf(side: readonly Pick<Version, 'count'>[]): number {
  return side.reduce((sum, { count }) => sum + count, 0);
}

/** True where the two are the same versions running the same, whatever their counts. */
export function sameSide(a: readonly Version[], b: readonly Version[]): boolean {
  return a.length === b.length && a.every((one) => b.some((other) => sameRun(one, other)));
}

/** True where instances of one are instances of the other. */
export function sameRun(a: Pick<Version, 'version' | 'digest'>, b: Pick<Version, 'version' | 'digest'>): boolean {
  return a.version === b.version && a.digest === b.digest;
}

/** `1.2.0`, or `1.2.0 + 1.3.0`. */
export function namesOf(side: readonly Pick<Version, 'version'>[]): string {
  return side.map(({ version }) => version).join(' + ') || 'nothing';
}
