/** Who serves a service, who is about to, and who is none of what is declared. */
import type { Service, Version } from '../../specs/nouns.ts';
import { isComing } from './machine-health.ts';
import type { PlannerMemory } from './memory.ts';
import type { Policy } from './policy.ts';
import { declaredVersionOf, type Unit, type World } from './world.ts';

export interface VersionCount {
  service: Service;
  version: Version;
  /** Machines of ours that serve exactly what is declared. */
  serving: Unit[];
  /** Registered up and not ours. */
  standalone: number;
  /** Claimed for exactly this and expected to serve. */
  coming: Unit[];
}

export interface ServiceCount {
  name: string;
  versions: VersionCount[];
  /** Claimed machines whose version or digest is not declared (any more), serving or coming. */
  outdated: Unit[];
}

export function countInstances(
  world: World,
  memory: PlannerMemory,
  policy: Policy,
  name: string,
  now: number,
): ServiceCount {
  const service = world.services.get(name);
  const versions = (service?.versions ?? []).map((version): VersionCount => {
    const standalone = (world.standalonesOf.get(name) ?? []).filter((one) => runsVersion(one, version)).length;
    return { service: service as Service, version, serving: [], standalone, coming: [] };
  });
  const byVersion = new Map(versions.map((count) => [count.version, count]));
  const outdated: Unit[] = [];
  for (const unit of world.unitsOf.get(name) ?? []) {
    const coming = !unit.serving && isComing(unit, memory, policy, now);
    if (!unit.serving && !coming) continue;
    const version = declaredVersionOf(world, unit);
    const count = version && byVersion.get(version);
    if (!count) outdated.push(unit);
    else if (unit.serving) count.serving.push(unit);
    else count.coming.push(unit);
  }
  return { name, versions, outdated };
}

/** A standalone agent that tells its digest is held to it; one that does not is believed by its version's name. */
function runsVersion(one: { version: string; digest: string | undefined }, version: Version): boolean {
  return one.digest === undefined ? one.version === version.version : one.digest === version.digest;
}

/** Instances of exactly this version, ours and standalone. */
export function liveOf(count: VersionCount): number {
  return count.serving.length + count.standalone;
}
