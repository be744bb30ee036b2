/**
 * P3: a service that lost much of what it had lately is not made smaller still. After Eureka's self-preservation, which
 * stops evicting when renewals fall below 85 % of what the last 15 minutes let expect.
 */
import type { PlannerMemory } from './memory.ts';
import type { Policy } from './policy.ts';
import { countIf, desiredTotal, liveCount, type World } from './world.ts';

export interface ServiceLevel {
  live: number;
  /** What the service had lately; never more than is declared now, so an explicit scale-down lowers it at once. */
  level: number;
  /** Two or more were lost, and live is below the share of the level. */
  mass: boolean;
  /** Nothing of the service may be destroyed: a mass failure, or none is left. */
  hold: boolean;
}

/** The level also counts machines that the ledger knows to have served: a successor's memory starts empty. */
export function serviceLevel(world: World, memory: PlannerMemory, policy: Policy, service: string): ServiceLevel {
  const live = liveCount(world, service);
  const sampled = (memory.levels.get(service) ?? []).reduce((most, sample) => Math.max(most, sample.live), 0);
  const served = countIf(
    world.unitsOf.get(service) ?? [],
    ({ ledger }) => ledger.state === 'claimed' && ledger.served === true,
  );
  const level = Math.min(desiredTotal(world, service), Math.max(sampled, served));
  const mass = level - live >= 2 && live < policy.massShare * level;
  return { live, level, mass, hold: mass || (live === 0 && level > 0) };
}
