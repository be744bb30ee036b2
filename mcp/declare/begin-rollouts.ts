/**
 * Which rollouts an applied environment begins: where it puts other versions in the place of those that run, of services that
 * declare how they are rolled out or in which order. Pure. See decision 0052.
 */

import type { RolloutName, RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Environment, Service } from '../../specs/nouns.ts';
import { rolloutSettings } from '../../specs/rollout-settings.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { comesAfter } from '../../specs/service-order.ts';
import { isActive, leaving, type RolloutInstance } from '../rollout/rollout-input.ts';
import { totalOf } from '../rollout/sides.ts';
import { startRollout } from '../rollout/start-rollout.ts';

export interface BeginInput {
  /** As it is declared now. */
  before: Environment;
  after: Environment;
  /** The last rollouts, by service. */
  rollouts: Readonly<Record<string, { record: RolloutRecord }>>;
  /** Services whose rollout under way ends with this: they follow the declaration at once. */
  ended: ReadonlySet<string>;
  instancesOf: (service: string) => readonly RolloutInstance[];
  newId: () => string;
  by: string;
  reason: string;
  /** ms since the Unix epoch. */
  at: number;
}

/** The first records, in the order of the environment. Errors: as of `startRollout`. */
export function beginRollouts(input: BeginInput): RolloutRecord[] {
  const { before, after, rollouts, by, reason, at } = input;
  const old = new Map(before.services.map((service) => [service.name, service]));
  const changes = after.services.flatMap((service) => {
    const was = old.get(service.name);
    const previous = rollouts[service.name]?.record ?? null;
    // What is being rolled out already is not begun again: apply refuses that, or ends it.
    if (!was || !isStaged(after, service) || !replacesVersions(was, service)) return [];
    if (previous && isActive(previous)) return [];
    return [{ service, was, previous, operation: input.newId() }];
  });
  const begun = new Map(changes.map(({ service, operation }) => [service.name, operation]));
  return changes.flatMap(({ service, was, previous, operation }) => {
    const first = comesAfter(after.services, service.name);
    const others = [...begun].filter(([name]) => name !== service.name).map(nameOf);
    const underWay = Object.values(rollouts)
      .filter(({ record }) => isActive(record) && first.has(record.service) && !input.ended.has(record.service))
      .map(({ record }): RolloutName => ({ service: record.service, operation: record.operation }));
    const order = { after: [...others.filter((name) => first.has(name.service)), ...underWay], others };
    const started = startRollout({
      service: was,
      previous,
      kind: 'upgrade',
      to: runningVersions(service),
      settings: rolloutSettings(service),
      instances: input.instancesOf(service.name),
      declared: service,
      ...(order.after.length + others.length > 0 ? { order } : {}),
      operation,
      by,
      reason,
      at,
    });
    return started ? [started.record] : [];
  });
}

function nameOf([service, operation]: [string, string]): RolloutName {
  return { service, operation };
}

/** It says how it is rolled out, or has a place in an order. */
function isStaged({ services }: Environment, { name, rollout, after }: Service): boolean {
  return rollout !== undefined || after !== undefined || services.some((other) => other.after?.includes(name));
}

/** Some versions leave and others come, under names of their own; anything else is no change from one side to another. */
function replacesVersions(before: Service, after: Service): boolean {
  const [from, to] = [runningVersions(before), runningVersions(after)];
  if (totalOf(from) === 0 || totalOf(to) === 0) return false;
  const come = leaving(to, from);
  const named = new Set(from.map(({ version }) => version));
  return come.length > 0 && leaving(from, to).length > 0 && !come.some(({ version }) => named.has(version));
}
