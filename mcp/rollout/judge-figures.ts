/**
 * Whether the new version answers worse than the old one, by the gateway's figures. Two proportions are compared (answers
 * that are errors; answers slower than nearly all of the old version's) by the score interval of their difference: R. G.
 * Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17 (1998),
 * method 10, made of two of Wilson's intervals; it holds for small samples and for shares near 0, where errors are. Pure.
 */
import { bucketOf } from '../../proxy-daemon/version-figures.ts';
import type { VersionFigures } from '../../registrar/rollout-records.ts';
import type { AnalysisSettings } from '../../specs/nouns.ts';

export interface Verdict {
  /** `few`: too few requests to say anything. `unsure`: enough of them, and still the difference may be on either side. */
  result: 'good' | 'bad' | 'unsure' | 'few';
  /** The figures in words. */
  words: string[];
}

/** 97.5 % of the normal distribution: bounds of a 95 % interval. */
const z = 1.96;
const percentile = 0.95;

/** Compares what was counted since the stage began. */
export function judgeFigures(
  older: readonly VersionFigures[],
  newer: readonly VersionFigures[],
  settings: AnalysisSettings,
): Verdict {
  const [a, b] = [added(older), added(newer)];
  const size = `${b.requests} requests of the new version, ${a.requests} of the old one`;
  if (a.requests < settings.minRequests || b.requests < settings.minRequests) {
    return { result: 'few', words: [`${size}: fewer than ${settings.minRequests}, so they are not compared`] };
  }
  const errors = compare('errors', b.errors, b.requests, a.errors, a.requests, settings.errorTolerance);
  const bound = slowBound(a);
  const slow =
    bound === null
      ? null
      : compare(
          `slower than ${bound} ms`,
          slowerThan(b, bound),
          counted(b),
          slowerThan(a, bound),
          counted(a),
          settings.slowTolerance,
        );
  const all = slow ? [errors, slow] : [errors];
  const result = (['bad', 'unsure', 'good'] as const).find((one) => all.some((each) => each.result === one)) ?? 'good';
  return { result, words: [size, ...all.map(({ words }) => words)] };
}

/** Lower and upper bound of `hits / total`, after Wilson (1927). */
export function wilson(hits: number, total: number): [number, number] {
  const share = hits / total;
  const middle = (share + z ** 2 / (2 * total)) / (1 + z ** 2 / total);
  const half = (z * Math.sqrt((share * (1 - share)) / total + z ** 2 / (4 * total ** 2))) / (1 + z ** 2 / total);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export interface Difference {
  difference: number;
  /** Its 95 % interval. */
  low: number;
  high: number;
}

/** By how much the share of hits of the new ones is larger than that of the old ones; both totals above 0. */
export function differenceOf(hitsNew: number, totalNew: number, hitsOld: number, totalOld: number): Difference {
  const [shareNew, shareOld] = [hitsNew / totalNew, hitsOld / totalOld];
  const [lowNew, highNew] = wilson(hitsNew, totalNew);
  const [lowOld, highOld] = wilson(hitsOld, totalOld);
  const difference = shareNew - shareOld;
  return {
    difference,
    low: difference - Math.hypot(shareNew - lowNew, highOld - shareOld),
    high: difference + Math.hypot(highNew - shareNew, shareOld - lowOld),
  };
}

function compare(
  what: string,
  hitsNew: number,
  totalNew: number,
  hitsOld: number,
  totalOld: number,
  tolerance: number,
): { result: 'good' | 'bad' | 'unsure'; words: string } {
  const [shareNew, shareOld] = [hitsNew / totalNew, hitsOld / totalOld];
  const { difference, low, high } = differenceOf(hitsNew, totalNew, hitsOld, totalOld);
  const result = low > tolerance ? 'bad' : high <= tolerance ? 'good' : difference <= tolerance / 2 ? 'good' : 'unsure';
  const words = `${what}: ${percent(shareNew)} of the new, ${percent(shareOld)} of the old; the difference is ${percent(low)} to ${percent(high)} (95 %), ${percent(tolerance)} is allowed`;
  return { result, words };
}

/**
 * The smallest bound within which 95 % of the requests (or another share) were answered; null where nothing was counted by
 * time, or it is beyond the last bound.
 */
export function slowBound({ latency }: VersionFigures, share = percentile): number | null {
  const bucket = bucketOf(latency, share);
  return bucket === null ? null : (latency.bounds[bucket] ?? null);
}

/** Requests that took longer than `bound` ms, one of the bounds. */
export function slowerThan({ latency }: VersionFigures, bound: number): number {
  return latency.counts.reduce((sum, count, at) => sum + ((latency.bounds[at] ?? Infinity) > bound ? count : 0), 0);
}

/** Requests counted by time, at least 1. */
export function counted({ latency }: VersionFigures): number {
  return Math.max(
    1,
    latency.counts.reduce((sum, count) => sum + count, 0),
  );
}

/** Several gateways' or versions' figures as one; they have the same bounds. */
function added(figures: readonly VersionFigures[]): VersionFigures {
  const bounds = figures[0]?.latency.bounds ?? [];
  const counts = (figures[0]?.latency.counts ?? []).map((_, at) =>
    figures.reduce((sum, { latency }) => sum + (latency.counts[at] ?? 0), 0),
  );
  return {
    version: figures[0]?.version ?? '',
    requests: figures.reduce((sum, { requests }) => sum + requests, 0),
    errors: figures.reduce((sum, { errors }) => sum + errors, 0),
    latency: { bounds, counts },
  };
}

/** What was counted since `before`; null where a gateway has begun anew since, which only a smaller number shows. */
export function sinceThen(now: VersionFigures, before: VersionFigures | undefined): VersionFigures | null {
  if (!before) return now;
  const counts = now.latency.counts.map((count, at) => count - (before.latency.counts[at] ?? 0));
  const requests = now.requests - before.requests;
  const errors = now.errors - before.errors;
  if (requests < 0 || errors < 0 || counts.some((count) => count < 0)) return null;
  return { version: now.version, requests, errors, latency: { bounds: now.latency.bounds, counts } };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
