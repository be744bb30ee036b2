/** Requests a second of the last minutes and figures of the last one, from counters that only grow. Pure but for what it remembers. */
import { bucketOf, type TrafficReport, type VersionFigures } from './version-figures.ts';

interface RecentFigures {
  /** Requests a second. */
  rate: number;
  /** Share of answers of 500 and above, 0 to 1. */
  errors: number;
  /** Upper bounds of the buckets, ms; -1: beyond the last bound; null: nothing was measured. */
  p50: number | null;
  p99: number | null;
}

export interface RatesReport {
  /** Of the newest sample, ms since the Unix epoch; 0: nothing was counted. */
  at: number;
  /** What `recent` figures are over. */
  seconds: number;
  /** `rates`: requests a second by sample, the newest last. */
  total: { rates: number[]; recent: RecentFigures | null };
  /** Those that had requests lately. */
  services: Record<string, { rates: number[]; recent: RecentFigures; versions: Record<string, RecentFigures> }>;
}

type Counted = Pick<TrafficReport, 'at' | 'since' | 'versions'>;

const samples = 60;
/** Figures are over a minute, whose begin moves on in these steps. */
const snapshotMs = 15_000;
const snapshots = 4;

export class RateHistory {
  #last: Counted | null = null;
  /** Versions as they were up to a minute ago, the oldest first. */
  #past: Counted[] = [];
  #rates = new Map<string, number[]>();
  #total: number[] = [];
  #requests = new Map<string, number>();

  /** Takes a reading up, if it is a new one. */
  add(report: Counted): void {
    const last = this.#last;
    if (last !== null && (report.at <= last.at || report.since !== last.since)) {
      if (report.at <= last.at) return;
      // nginx started anew, and counts from 0.
      this.#past = [];
      this.#requests.clear();
    }
    const isFirst = this.#past.length === 0;
    if (!isFirst && last !== null) this.#sample(report, (report.at - last.at) / 1000);
    this.#last = report;
    for (const [service, all] of byService(report.versions)) this.#requests.set(service, sum(all));
    if (isFirst || report.at - (this.#past.at(-1)?.at ?? 0) >= snapshotMs) {
      this.#past = [...this.#past, report].slice(-snapshots - 1);
    }
  }

  /** Yields between services: with very many it takes long. */
  *report(): Generator<void, RatesReport> {
    const [last, base] = [this.#last, this.#past[0]];
    const rates = this.#total;
    if (last === null || base === undefined || last === base) {
      return { at: last?.at ?? 0, seconds: 0, total: { rates, recent: null }, services: {} };
    }
    const seconds = (last.at - base.at) / 1000;
    const before = new Map<string, VersionFigures>();
    for (const one of base.versions) {
      before.set(`${one.service} ${one.version}`, one);
      yield;
    }
    const lines = new Map(this.#rates);
    const services: RatesReport['services'] = {};
    const busy: VersionFigures[] = [];
    for (const [service, now] of byService(last.versions)) {
      yield;
      const line = lines.get(service);
      const all = now.map((one) => since(one, before.get(`${service} ${one.version}`)));
      if (sum(all) === 0 && !line) continue;
      busy.push(...all);
      services[service] = {
        rates: line ?? rates.map(() => 0),
        recent: figuresOf(all, seconds),
        versions: Object.fromEntries(all.map((one) => [one.version, figuresOf([one], seconds)])),
      };
    }
    return { at: last.at, seconds, total: { rates, recent: figuresOf(busy, seconds) }, services };
  }

  #sample(report: Counted, seconds: number): void {
    let total = 0;
    const length = Math.min(samples, this.#total.length + 1);
    for (const [service, all] of byService(report.versions)) {
      const more = Math.max(0, sum(all) - (this.#requests.get(service) ?? 0));
      total += more;
      const known = this.#rates.get(service);
      if (more === 0 && !known) continue;
      const line = known ?? new Array<number>(length - 1).fill(0);
      const next = [...line, rounded(more / seconds)].slice(-samples);
      if (next.some((rate) => rate > 0)) this.#rates.set(service, next);
      else this.#rates.delete(service);
    }
    this.#total = [...this.#total, rounded(total / seconds)].slice(-samples);
  }
}

function byService(versions: readonly VersionFigures[]): Map<string, VersionFigures[]> {
  return Map.groupBy(versions, ({ service }) => service);
}

function sum(versions: readonly VersionFigures[]): number {
  return versions.reduce((total, { requests }) => total + requests, 0);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** What was counted since `before`. */
function since(now: VersionFigures, before: VersionFigures | undefined): VersionFigures {
  if (before === undefined) return now;
  const counts = now.latencyMs.counts.map((count, at) => count - (before.latencyMs.counts[at] ?? 0));
  return {
    ...now,
    requests: now.requests - before.requests,
    errors5xx: now.errors5xx - before.errors5xx,
    latencyMs: { ...now.latencyMs, counts },
  };
}

function figuresOf(versions: readonly VersionFigures[], seconds: number): RecentFigures {
  const requests = sum(versions);
  const errors = versions.reduce((total, { errors5xx }) => total + errors5xx, 0);
  return {
    rate: rounded(requests / seconds),
    errors: requests === 0 ? 0 : errors / requests,
    p50: boundOf(versions, 0.5),
    p99: boundOf(versions, 0.99),
  };
}

/** Of all of them together. */
function boundOf(versions: readonly VersionFigures[], share: number): number | null {
  const bounds = versions[0]?.latencyMs.bounds ?? [];
  const counts = new Array<number>(bounds.length + 1).fill(0);
  for (const { latencyMs } of versions)
    for (const [at, count] of latencyMs.counts.entries()) counts[at] = (counts[at] ?? 0) + count;
  const bucket = bucketOf({ counts }, share);
  return bucket === null ? null : (bounds[bucket] ?? -1);
}
