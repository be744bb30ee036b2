/**
 * What is wanted right now: the declared environment with the counts and weights of the rollouts under way in place of the
 * declared ones. The one place where the two meet: controllers plan and gateways route by what this gives. Pure.
 */

import type { Environment, Service, Version } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import type { DesiredRecord } from '../records.ts';
import type { RolloutRecord } from '../rollout-records.ts';

/** As read, by service. */
export type Rollouts = Readonly<Record<string, { record: RolloutRecord }>>;

/** Services without a rollout under way are the same objects as in `environment`. */
export function effectiveEnvironment(environment: Environment, rollouts: Rollouts): Environment {
  const services = environment.services.map((service) => effectiveService(service, rollouts[service.name]?.record));
  return services.every((service, at) => service === environment.services[at])
    ? environment
    : { ...environment, services };
}

/** The declaration with its environment as it is wanted right now. */
export function effectiveDesired(desired: DesiredRecord, rollouts: Rollouts): DesiredRecord {
  const environment = effectiveEnvironment(desired.environment, rollouts);
  return environment === desired.environment ? desired : { ...desired, environment };
}

/** Declared versions keep their place; what only the rollout still knows comes after them. */
export function effectiveService(service: Service, rollout: RolloutRecord | undefined): Service {
  if (!rollout || rollout.wanted.length === 0) return service;
  const known = new Map([...rollout.from, ...rollout.to].map((version) => [version.version, version]));
  const total = service.versions.reduce((sum, { count }) => sum + count, 0);
  const isDone = rollout.phase === 'done';
  const runs = new Set(runningVersions(service).map(({ version }) => version));
  // What is declared to run again is not kept at weight 0 any more.
  const kept = rollout.wanted.filter(({ version }) => !isDone || !runs.has(version));
  const wanted = new Map(kept.map((one) => [one.version, one]));
  const declared = service.versions.map((version): Version => {
    const now = wanted.get(version.version);
    if (now) return { ...(known.get(version.version) ?? version), count: now.count, weight: now.weight };
    // Once it is done the declared counts hold again, and only what is kept for undo comes on top.
    return isDone
      ? { ...version, weight: version.weight ?? (total === 0 ? 0 : (100 * version.count) / total) }
      : { ...version, count: 0, weight: 0 };
  });
  const names = new Set(service.versions.map(({ version }) => version));
  const others = kept.flatMap(({ version, count, weight }): Version[] => {
    const spec = names.has(version) ? undefined : known.get(version);
    return spec ? [{ ...spec, count, weight }] : [];
  });
  return { ...service, versions: [...declared, ...others] };
}
