/** What declaring an environment would do, as one value: what `mcp plan` shows and a saved plan is held against. */
import { effectiveDesired } from '../../registrar/recipes/effective-environment.ts';
import type { EndedRecord } from '../../registrar/records.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { StatusRecord } from '../../registrar/status-records.ts';
import {
  allowanceFor,
  compareEnvironments,
  type EnvironmentDiff,
  needsConfirmation,
} from '../../specs/compare-environments.ts';
import { environmentDigest } from '../../specs/digest.ts';
import type { Environment } from '../../specs/nouns.ts';
import { measuresOf } from '../plan/measures.ts';
import type { Plan } from '../plan/plan.ts';
import type { ProviderWords } from '../plan/rehearsal-world.ts';
import { rehearse } from '../plan/rehearse.ts';
import { seenInstances } from '../rollout/seen-instances.ts';
import { type Forecast, forecastOf } from '../view/forecast.ts';
import { type Guard, guardsOf } from '../view/plan-guards.ts';
import { isNothing, type Preview, previewEnvironment } from '../view/preview.ts';
import type { RegistryPart } from '../view/status-view.ts';
import { meddledRollouts } from './apply-environment.ts';
import { beginRollouts } from './begin-rollouts.ts';
import { unheeded } from './unheeded.ts';

export interface PlanInput {
  environment: Environment;
  registry: RegistryPart;
  /** What the leader last said; null where none ever spoke. */
  controller: StatusRecord | null;
  leading: boolean;
  /** Machines that are no more: what they took is measured. */
  ended: readonly EndedRecord[];
  by: string;
  /** ms since the Unix epoch. */
  at: number;
}

export interface EnvironmentPlan {
  clusterId: string;
  /** The generation that it was made from; 0: nothing was declared. */
  index: number;
  /** Of the environment that would be declared. */
  digest: string;
  changes: boolean;
  /** Why apply would want a confirmation; null: it would not. */
  refusal: string | null;
  /** What of it gateways here will not heed; empty: nothing. */
  warning: string;
  diff: EnvironmentDiff;
  preview: Preview;
  forecast: Forecast;
  guards: Guard[];
  /** Rollouts that it would begin. */
  begun: RolloutRecord[];
  firstSteps: Plan;
}

/** Errors: as of `beginRollouts`. Changes nothing. */
export function planEnvironment({
  environment,
  registry,
  controller,
  leading,
  ended,
  by,
  at,
}: PlanInput): EnvironmentPlan {
  const current = registry.declared?.record;
  const diff = compareEnvironments(current?.environment, environment);
  const preview = previewEnvironment(environment, registry);
  const begun = rolloutsOf(environment, registry, by, at);
  const wanted = current && effectiveDesired(current, registry.rollouts).environment;
  const allowance = allowanceFor(wanted, environment);
  for (const { service } of begun) delete allowance[service];
  const digest = environmentDigest(environment);
  const generation = (current?.generation ?? 0) + 1;
  const declared = { generation, author: by, reason: 'plan', at, digest, allowance, environment };
  const provider: ProviderWords = controller?.provider ?? {};
  const machines = registry.machines.map(({ record }) => record);
  const measures = measuresOf(machines, ended);
  const played = { registry, declared, begun, measures };
  const rehearsal = rehearse({ ...played, provider });
  const { machines: quota, ...unbounded } = provider;
  const free = quota ? rehearse({ ...played, provider: unbounded }) : rehearsal;
  const forecast = forecastOf(preview, rehearsal, measures, machines.length);
  const refusal = needsConfirmation(current?.environment, environment) ?? null;
  const meddled = meddledRollouts(environment, current?.environment, registry.rollouts);
  return {
    clusterId: registry.clusterId,
    index: current?.generation ?? 0,
    digest,
    // What is kept for undo is no change; what can't be rehearsed to its end may be one all the same.
    changes: diff.change !== 'same' || moves(forecast) || (rehearsal.stuck.length > 0 && !isNothing(preview)),
    refusal,
    warning: unheeded(environment, current?.environment, registry.gateways),
    diff,
    preview,
    forecast,
    guards: guardsOf({
      ...{ environment, registry, refusal, meddled, begun, provider, rehearsal },
      leads: leading,
      peakWithoutQuota: free.peak.machines,
    }),
    begun,
    firstSteps: rehearsal.first,
  };
}

function moves({ rows }: Forecast): boolean {
  return rows.some(({ create, drain, destroy }) => create + drain + destroy > 0);
}

/** The rollouts that declaring it would begin; those under way are not asked to end. */
function rolloutsOf(environment: Environment, registry: RegistryPart, by: string, at: number): RolloutRecord[] {
  const before = registry.declared?.record.environment;
  if (!before) return [];
  let ids = 0;
  return beginRollouts({
    before,
    after: environment,
    rollouts: registry.rollouts,
    ended: new Set(),
    instancesOf: (service) => seenInstances(registry, service),
    newId: () => `new-${++ids}`,
    by,
    reason: 'plan',
    at,
  });
}
