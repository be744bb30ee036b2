/** What a service waits for right after something was said of it: the planner is asked here, before the leader has looked. */
import { firstSteps } from '../plan/first-steps.ts';
import type { RegistryPart } from '../view/status-view.ts';
import { concerns, goesOn } from '../view/waits.ts';

/** In words, with times where time is what it waits for. `at`: ms since the Unix epoch. Pure. */
export function whatWaits(registry: RegistryPart, service: string, at: number): string[] {
  const desired = registry.desired?.record;
  if (!desired) return [];
  const { waiting } = firstSteps(registry, { ...desired, at });
  return waiting.filter((one) => concerns(one, service) && !goesOn(one)).map(({ why }) => why);
}
