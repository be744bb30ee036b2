/** Why each version has the share that it has. Pure. */
import type { Route } from '../route-table.ts';
import type { ExplainedVersion } from './explanation.ts';

/** What a rollout under way says of a service's versions; null where there is none. */
export interface RolloutWord {
  phase: string;
  from: readonly string[];
  to: readonly string[];
}

const underWay = ['checking', 'canary', 'rolling', 'baking', 'reverting'];

export function explainVersions(route: Route, rollout: RolloutWord | null): ExplainedVersion[] {
  return route.versions.map(({ version, weight, share }) => {
    const routable = route.instances.filter(
      (one) => one.version === version && (one.weight > 0 || one.state === 'idle'),
    ).length;
    return {
      version,
      share,
      weight,
      why: [shareWhy(route, version, weight, share, routable), rolloutWhy(version, rollout)].filter(Boolean).join('; '),
    };
  });
}

function shareWhy(route: Route, version: string, weight: number | null, share: number, routable: number): string {
  if (routable === 0) {
    const any = route.instances.some((one) => one.version === version);
    return any ? 'none of its instances may get requests' : 'it has no instance';
  }
  if (weight === 0) return 'its weight is 0';
  const others = route.versions.filter((one) => one.version !== version && one.share > 0);
  if (others.length === 0) return 'no other version has a share';
  if (weight === null && others.every((one) => one.weight === null)) return 'no weight is declared: instances count';
  if (weight === null) return 'it has no weight beside versions that have: it keeps what its instances have by number';
  const beside = others.map((one) => `${one.version} has ${one.weight ?? 'none'}`).join(', ');
  return `its weight is ${weight}, and beside it ${beside}${share === 0 ? '; its instances say that they want none' : ''}`;
}

function rolloutWhy(version: string, rollout: RolloutWord | null): string {
  if (rollout === null) return '';
  const isNew = rollout.to.includes(version);
  const isOld = rollout.from.includes(version);
  if (isNew === isOld) return '';
  if (underWay.includes(rollout.phase)) {
    return `a rollout is ${rollout.phase} and sets its weight: this is the ${isNew ? 'new' : 'old'} one`;
  }
  if (rollout.phase === 'done' && isOld) return 'kept for undo after a rollout';
  return '';
}
