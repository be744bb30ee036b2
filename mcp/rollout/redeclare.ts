/** What a service declares once a side of a rollout is what it shall run. Pure. */
import type { Service, Version } from '../../specs/nouns.ts';
import { sameRun, shareCounts } from './sides.ts';

/** Versions kept in a declaration; beyond that those that run nothing go, the first ones first. */
const mostVersions = 20;

/**
 * The service with `total` instances of the side's versions and 0 of all others, which stay declared so that one can go back to
 * them. Weights are the side's; where it has none, nobody has one.
 */
export function declareSide(service: Service, side: readonly Version[], total: number): Service {
  const counts = shareCounts(side, total);
  const weighted = side.length > 0 && side.every(({ weight }) => weight !== undefined);
  const wanted = side.map((version, at) => withWeight({ ...version, count: counts[at] ?? 0 }, weighted));
  const kept = service.versions.map((version) => {
    const now = wanted.find((one) => sameRun(one, version));
    return now ?? withWeight({ ...version, count: 0, weight: 0 }, weighted);
  });
  const names = new Set(kept.map(({ version }) => version));
  const all = [...kept, ...wanted.filter(({ version }) => !names.has(version))];
  return { ...service, versions: bounded(all, ({ version }) => side.some((one) => one.version === version)) };
}

/** No more versions than a service may have: of those that are not needed the first ones go. */
export function bounded(all: readonly Version[], isNeeded: (version: Version) => boolean): Version[] {
  const idle = all.filter((version) => !isNeeded(version));
  const gone = new Set(idle.slice(0, Math.max(0, all.length - mostVersions)));
  return all.filter((version) => !gone.has(version));
}

function withWeight({ weight, ...version }: Version, weighted: boolean): Version {
  return weighted ? { ...version, weight: weight ?? 0 } : version;
}
