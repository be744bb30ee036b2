/**
 * Integer weights whose ratios are exactly the declared shares.
 *
 * Versions with a declared weight share their part of the traffic in the ratio of the weights, divided evenly over each
 * version's live instances; a version without live instances takes no part in the sum. A version without a weight beside
 * weighted ones (say, one that a rollout is just removing) keeps the share its instances have by number: it fades out
 * with them instead of dropping its load on the first new instance.
 */
export interface VersionLoad {
  version: string;
  /** 0 to 100; null: none declared. */
  weight: number | null;
  /** Instances that can be routed to. */
  live: number;
}

export interface VersionWeight {
  version: string;
  /** Of the traffic of all versions, 0 to 1. */
  share: number;
  /** For each of its instances; 0: not routed. */
  instanceWeight: number;
}

/** Above this the ratios are approximated (an nginx weight is a C int that its algorithm adds up). */
const largestExact = 1_000_000;
const approximateScale = 100_000;
/** Declared weights may have up to three decimals. */
const weightScale = 1000;

/** One entry a version, in the order given. */
export function versionWeights(versions: readonly VersionLoad[]): VersionWeight[] {
  const live = versions.filter((version) => version.live > 0);
  const weighted = live.filter((version) => scaled(version) > 0);
  const sum = weighted.reduce((total, version) => total + scaled(version), 0);
  const weightedInstances = weighted.reduce((total, version) => total + version.live, 0);
  const unweightedInstances = live.reduce((total, { weight, live: n }) => total + (weight === null ? n : 0), 0);
  const all = weightedInstances + unweightedInstances;

  // Each instance's weight as a fraction: 1 for an unweighted one, weightedInstances * w / (sum * n) for a weighted one.
  const fractions = versions.map((version): Fraction => {
    if (version.live === 0) return { top: 0, bottom: 1 };
    if (version.weight === null) return { top: 1, bottom: 1 };
    return scaled(version) > 0
      ? reduced(weightedInstances * scaled(version), sum * version.live)
      : { top: 0, bottom: 1 };
  });
  const integers = asIntegers(fractions);
  return versions.map((version, index) => {
    const fraction = fractions[index] ?? { top: 0, bottom: 1 };
    const share = all === 0 ? 0 : (version.live * fraction.top) / (fraction.bottom * all);
    return { version: version.version, share, instanceWeight: integers[index] ?? 0 };
  });
}

interface Fraction {
  top: number;
  bottom: number;
}

function scaled(version: VersionLoad): number {
  return version.weight === null ? 0 : Math.round(version.weight * weightScale);
}

function reduced(top: number, bottom: number): Fraction {
  const divisor = gcd(top, bottom);
  return { top: top / divisor, bottom: bottom / divisor };
}

/** The smallest integers in the fractions' ratio, or near ones where those would be too large. Positive stays positive. */
function asIntegers(fractions: readonly Fraction[]): number[] {
  let common = 1;
  for (const { bottom } of fractions) {
    common = (common / gcd(common, bottom)) * bottom;
    if (common > largestExact) return approximated(fractions);
  }
  const integers = fractions.map(({ top, bottom }) => top * (common / bottom));
  if (Math.max(0, ...integers) > largestExact) return approximated(fractions);
  const divisor = integers.reduce(gcd, 0) || 1;
  return integers.map((value) => value / divisor);
}

function approximated(fractions: readonly Fraction[]): number[] {
  const largest = Math.max(...fractions.map(({ top, bottom }) => top / bottom));
  return fractions.map(({ top, bottom }) =>
    top === 0 ? 0 : Math.max(1, Math.round((top / bottom / largest) * approximateScale)),
  );
}

/** Greatest common divisor; that of 0 and n is n. */
export function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}
