/** Weights of instances of which some registered a share of their own (Nerve's `weight`, a ServerSet's vectors). Pure. */
import { gcd, type VersionLoad, type VersionWeight, versionWeights } from './weights.ts';

export interface Sharer {
  version: string;
  /** Of its version's traffic, relative to the version's other instances; 0: gets none. */
  factor: number;
}

/** Units that a version's average instance has, so that factors between whole numbers count. */
const unitsPerInstance = 100;
/** nginx adds weights up in a C int. */
const largest = 1_000_000;

/** One weight a sharer, in order, and the versions' shares: those are as if all factors were equal. */
export function instanceWeights(
  versions: readonly Pick<VersionLoad, 'version' | 'weight'>[],
  sharers: readonly Sharer[],
): { versions: VersionWeight[]; weights: number[] } {
  const isPlain = sharers.every(({ factor }) => factor === 0 || factor === 1);
  const units = isPlain ? sharers.map(({ factor }) => factor) : inUnits(sharers);
  const live = (version: string) =>
    sharers.reduce((sum, sharer, index) => sum + (sharer.version === version ? (units[index] ?? 0) : 0), 0);
  const shares = versionWeights(versions.map((one) => ({ ...one, live: live(one.version) })));
  const weightOf = new Map(shares.map(({ version, instanceWeight }) => [version, instanceWeight]));
  const weights = sharers.map(({ version }, index) => (weightOf.get(version) ?? 0) * (units[index] ?? 0));
  return { versions: shares, weights: isPlain ? weights : reduced(weights) };
}

function inUnits(sharers: readonly Sharer[]): number[] {
  const groups = Map.groupBy(
    sharers.filter(({ factor }) => factor > 0),
    ({ version }) => version,
  );
  const average = new Map(
    [...groups].map(([version, all]) => [version, all.reduce((sum, { factor }) => sum + factor, 0) / all.length]),
  );
  return sharers.map(({ version, factor }) =>
    factor > 0 ? Math.max(1, Math.round((unitsPerInstance * factor) / (average.get(version) ?? factor))) : 0,
  );
}

function reduced(weights: readonly number[]): number[] {
  const most = Math.max(1, ...weights);
  const fitting =
    most > largest
      ? weights.map((weight) => (weight > 0 ? Math.max(1, Math.round((weight / most) * largest)) : 0))
      : weights;
  const divisor = fitting.reduce(gcd, 0) || 1;
  return fitting.map((weight) => weight / divisor);
}
