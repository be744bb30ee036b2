/** How many of each version are wanted right now, and how the traffic is shared: what a rollout tells planner and gateways. Pure. */
import { effectiveService } from '../../registrar/recipes/effective-environment.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { RolloutSettings, Service } from '../../specs/nouns.ts';
import { shareOf } from '../../specs/rollout-settings.ts';
import { countOf, isBefore, leaving, type RolloutInput } from './rollout-input.ts';
import { totalOf, wantedOf } from './sides.ts';

/** The settings in instances, of so many. */
export interface Limits {
  surge: number;
  unavailable: number;
  batch: number;
  canary: number;
}

/** At least one of surge and unavailable is one: else nothing could ever move. */
export function limitsOf(settings: RolloutSettings, total: number): Limits {
  const surge = shareOf(settings.surge, total, 'up');
  const unavailable = shareOf(settings.unavailable, total, 'down');
  return {
    surge: surge + unavailable === 0 ? 1 : surge,
    unavailable,
    batch: Math.max(1, shareOf(settings.batch, total, 'up')),
    canary: shareOf(settings.canary, total, 'up'),
  };
}

/**
 * On the way to the new version. Each new instance that counts makes one old one needless; what is kept for undo stays and
 * gets no traffic. Traffic goes by the instances each side is there with, so that none gets more than at the end.
 */
export function wantedForward(
  record: RolloutRecord,
  { instances }: Pick<RolloutInput, 'instances'>,
): RolloutRecord['wanted'] {
  const { from, to, total, base, goal, keep, settings, phase } = record;
  const { unavailable } = limitsOf(settings, total);
  const old = leaving(from, to);
  const needed = Math.max(0, total - unavailable - base);
  const live = countOf(to, total, instances, ({ state }) => state === 'live');
  // Until its document is compared with the live one, the first new instance gets no traffic.
  const weight = Math.min(isBefore({ phase }) ? base : total, live);
  return [
    ...wantedOf(old, Math.max(needed, Math.min(keep, totalOf(old))), share(Math.max(0, total - base), total)),
    ...wantedOf(to, goal, share(base >= total ? Math.max(1, weight) : weight, total)),
  ];
}

/**
 * On the way back: as many old ones as the surge allows, at once; the new ones serve on only where there are too few old ones.
 */
export function wantedBack(
  record: RolloutRecord,
  { instances }: Pick<RolloutInput, 'instances'>,
): RolloutRecord['wanted'] {
  const { from, to, total, settings } = record;
  const { surge, unavailable } = limitsOf(settings, total);
  const isLive = ({ state }: { state: string }) => state === 'live';
  const gone = leaving(to, from);
  const back = countOf(from, total, instances, isLive);
  const stay = Math.min(countOf(gone, total, instances, isLive), Math.max(0, total - unavailable - back));
  return [
    ...wantedOf(gone, stay, share(Math.min(stay, Math.max(0, total - back)), total)),
    ...wantedOf(from, Math.min(total, total + surge - stay), share(stay === 0 ? Math.max(1, back) : back, total)),
  ];
}

/** Instances as a weight: all of a service's are 100, as people write them. */
function share(instances: number, total: number): number {
  return total === 0 ? 0 : (100 * instances) / total;
}

/** Done: what is kept for undo, beside what is declared. */
export function wantedKept({ from, to, keep }: RolloutRecord): RolloutRecord['wanted'] {
  return keep > 0 ? wantedOf(leaving(from, to), keep, 0) : [];
}

/**
 * The record with what is wanted from now on, and with what that gives up noted (P2): `declared` is what counts where a
 * rollout wants nothing.
 */
export function withWanted(
  record: RolloutRecord,
  wanted: RolloutRecord['wanted'],
  declared: { before: Service | null; after: Service | null },
): RolloutRecord {
  const before = countsOf(record, declared.before);
  const next = { ...record, wanted };
  const after = countsOf(next, declared.after);
  let givenUp = record.givenUp;
  for (const [version, count] of before) givenUp += Math.max(0, count - (after.get(version) ?? 0));
  return { ...next, givenUp };
}

function countsOf(record: RolloutRecord, declared: Service | null): Map<string, number> {
  const versions = declared ? effectiveService(declared, record).versions : [];
  return new Map(versions.map(({ version, count }) => [version, count]));
}
