/** Versions side by side: how they run, and what the gateways' figures say of one against another. Pure. */

import { versionWeights } from '../../proxy-daemon/routes/weights.ts';
import type { MirrorFigures } from '../../proxy-daemon/version-figures.ts';
import type { VersionFigures } from '../../registrar/rollout-records.ts';
import type { Service } from '../../specs/nouns.ts';
import { rolloutSettings } from '../../specs/rollout-settings.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import type { Trial } from '../declare/trials.ts';
import {
  counted,
  type Difference,
  differenceOf,
  sinceThen,
  slowBound,
  slowerThan,
  wilson,
} from '../rollout/judge-figures.ts';
import type { StatusView } from './status-view.ts';

/** One of several versions. */
export interface SideView {
  version: string;
  desired: number;
  live: number;
  /** Null: none is declared. */
  weight: number | null;
  /** Of the traffic, by weights and what is live now, 0 to 1. */
  share: number;
}

export interface SideFigures extends SideView {
  requests: number;
  errors: number;
  /** Null where there were no requests. */
  errorRate: { share: number; low: number; high: number } | null;
  /** Upper bounds of the buckets, ms; null: beyond the last one, or nothing was counted by time. */
  latency: { p50: number | null; p95: number | null; p99: number | null };
}

/** `more` and `fewer`: the 95 % interval of the difference does not hold 0. `unclear`: it does. */
export type Finding = Difference & { finding: 'more' | 'fewer' | 'unclear'; share: number; shareOfOther: number };

export interface Comparison {
  version: string;
  /** The first of the versions. */
  against: string;
  /** Requests that each needs to be compared at all. */
  minRequests: number;
  /** Null where one of them had too few requests to tell. */
  errors: Finding | null;
  /** Requests slower than nearly all (95 %) of the other's, `beyondMs`; null where that can't be told. */
  slow: (Finding & { beyondMs: number }) | null;
}

export interface AbReport {
  service: string;
  /** Since when it is counted, ms since the Unix epoch; null: since each gateway's nginx started. */
  since: number | null;
  /** Why it is not since the weights were declared; empty where it is. */
  sinceWhy: string;
  versions: SideFigures[];
  comparisons: Comparison[];
  /** What came of copies of requests, since each gateway's nginx started, by the version that got them. */
  mirrored: { version: string; copies: MirrorFigures }[];
}

/** Versions that have instances, declared ones first. */
export function sideViews(service: Service, status: Pick<StatusView, 'services'>): SideView[] {
  const shown = status.services.find(({ name }) => name === service.name)?.versions ?? [];
  const all = shown.filter(({ desired, live }) => desired > 0 || live > 0);
  const shares = versionWeights(all.map(({ version, weight, live }) => ({ version, weight, live })));
  return all.map(({ version, desired, live, weight }, at) => {
    return { version, desired, live, weight, share: shares[at]?.share ?? 0 };
  });
}

/** Each version beside the first one. `figures`: what was counted since the gateways began. */
export function abReport(
  service: Service,
  sides: readonly SideView[],
  figures: readonly VersionFigures[],
  trial: Trial | null,
  mirrors: ReadonlyMap<string, MirrorFigures> = new Map(),
): AbReport {
  const running = runningVersions(service).map(({ version }) => version);
  const all = sides
    .filter(({ version }) => running.includes(version))
    .map((side) => ({ side, now: figures.find(({ version }) => version === side.version) ?? nothing(side.version) }));
  const since = trial ? sinceAll(all, trial.baseline) : null;
  const compared = since ?? all;
  const [first, ...others] = compared;
  const minRequests = rolloutSettings(service).analysis?.minRequests ?? 50;
  return {
    service: service.name,
    since: since && trial ? trial.at : null,
    sinceWhy: since ? '' : trial ? 'a gateway began anew to count' : 'nobody waited for these weights with mcp ab',
    versions: compared.map(({ side, now }) => ({ ...side, ...sideFigures(now) })),
    comparisons: first ? others.map(({ now }) => comparison(now, first.now, minRequests)) : [],
    mirrored: [...mirrors].map(([version, copies]) => ({ version, copies })),
  };
}

interface Side {
  side: SideView;
  now: VersionFigures;
}

/** Null where a gateway began anew since. */
function sinceAll(all: readonly Side[], baseline: readonly VersionFigures[]): Side[] | null {
  const found = all.flatMap(({ side, now }) => {
    const since = sinceThen(
      now,
      baseline.find(({ version }) => version === side.version),
    );
    return since ? [{ side, now: since }] : [];
  });
  return found.length === all.length ? found : null;
}

function nothing(version: string): VersionFigures {
  return { version, requests: 0, errors: 0, latency: { bounds: [], counts: [] } };
}

function sideFigures(now: VersionFigures): Omit<SideFigures, keyof SideView> {
  const { requests, errors } = now;
  const [low, high] = requests > 0 ? wilson(errors, requests) : [0, 1];
  return {
    requests,
    errors,
    errorRate: requests > 0 ? { share: errors / requests, low, high } : null,
    latency: { p50: slowBound(now, 0.5), p95: slowBound(now, 0.95), p99: slowBound(now, 0.99) },
  };
}

function comparison(now: VersionFigures, other: VersionFigures, minRequests: number): Comparison {
  const base = { version: now.version, against: other.version, minRequests };
  if (Math.min(now.requests, other.requests) < Math.max(1, minRequests)) return { ...base, errors: null, slow: null };
  const beyondMs = slowBound(other);
  return {
    ...base,
    errors: found(now.errors, now.requests, other.errors, other.requests),
    slow:
      beyondMs === null
        ? null
        : {
            ...found(slowerThan(now, beyondMs), counted(now), slowerThan(other, beyondMs), counted(other)),
            beyondMs,
          },
  };
}

function found(hits: number, total: number, hitsOther: number, totalOther: number): Finding {
  const difference = differenceOf(hits, total, hitsOther, totalOther);
  const finding = difference.low > 0 ? 'more' : difference.high < 0 ? 'fewer' : 'unclear';
  return { ...difference, finding, share: hits / total, shareOfOther: hitsOther / totalOther };
}
