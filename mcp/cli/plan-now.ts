/** Reads the world and plans against it. */
import { readEnded } from '../../registrar/recipes/ended-machines.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import type { Environment } from '../../specs/nouns.ts';
import { readWorld } from '../control/read-status.ts';
import { type EnvironmentPlan, planEnvironment } from '../declare/plan-environment.ts';
import type { Context } from './context.ts';

/** The plan against the world as it is now. */
export async function planNow(
  context: Context,
  client: RegistryClient,
  environment: Environment,
): Promise<EnvironmentPlan> {
  const [world, ended] = await Promise.all([
    readWorld(client, context.reading()),
    readEnded(client, { signal: context.signal }),
  ]);
  return planEnvironment({ environment, ...world, ended, by: context.actor, at: systemClock.now() });
}
