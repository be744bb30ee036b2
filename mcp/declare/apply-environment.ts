/** Declaring: a new generation of /desired, guarded against slips. */

import { randomUUID } from 'node:crypto';
import { declaring, publishDesired, readDeclared } from '../../registrar/recipes/desired-document.ts';
import { effectiveDesired } from '../../registrar/recipes/effective-environment.ts';
import { eventOp } from '../../registrar/recipes/event-log.ts';
import { withRollouts } from '../../registrar/recipes/rollout-documents.ts';
import type { Versioned } from '../../registrar/recipes/versioned-document.ts';
import type { DesiredRecord, EventRecord } from '../../registrar/records.ts';
import type { MultiOp, RegistryClient } from '../../registrar/registry-client.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { readRegistry } from '../../registrar/store/read-registry.ts';
import { canonicalJson } from '../../specs/canonical-json.ts';
import {
  allowanceFor,
  compareEnvironments,
  type EnvironmentDiff,
  needsConfirmation,
} from '../../specs/compare-environments.ts';
import { environmentDigest } from '../../specs/digest.ts';
import { McpError } from '../../specs/errors.ts';
import type { Environment, Service } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { isActive } from '../rollout/rollout-input.ts';
import { seenInstances } from '../rollout/seen-instances.ts';
import { sameSide } from '../rollout/sides.ts';
import { underWay } from '../rollout/start-rollout.ts';
import { supersede } from '../rollout/transitions.ts';
import { beginRollouts } from './begin-rollouts.ts';
import { rolloutEvent, rolloutOp } from './change-version.ts';
import { readEpoch } from './epoch-now.ts';

export interface ApplyOptions {
  author: string;
  reason: string;
  /** An operator said that a large cut is meant. */
  confirmed: boolean;
  /** Versions that it changes are rolled out by stages, where services say how or in what order; else all at once. */
  staged?: boolean;
  /** Ends the rollouts of the services that it changes. */
  supersede?: boolean;
  /** The generation that was looked at; another one now means GENERATION_STALE. */
  expectGeneration?: number;
  /** Done in the same write. */
  alongside?: readonly MultiOp[];
  /** Makes the ids of rollouts; a simulation makes its own. */
  newId?: () => string;
  /** ms since the Unix epoch. */
  at: number;
}

export interface Applied {
  generation: number;
  /** False where the same was declared already: no new generation then. */
  changed: boolean;
  diff: EnvironmentDiff;
  /** The rollouts that it began, as they were written. */
  rollouts: RolloutRecord[];
}

/**
 * Makes `environment` the declared one, also where the one before it was damaged. Errors: REFUSED_COUNT_CUT where more than half would go and it was not confirmed,
 * GENERATION_STALE where somebody else declared something meanwhile, REFUSED_ROLLOUT where it changes more than the counts of a
 * service that is being rolled out (fault 52).
 */
export async function applyEnvironment(
  client: RegistryClient,
  environment: Environment,
  options: ApplyOptions,
): Promise<Applied> {
  const [{ record: current, damage }, rollouts] = await withRollouts(client, () => readDeclared(client));
  const diff = compareEnvironments(current?.environment, environment);
  if (current && !damage && current.digest === environmentDigest(environment)) {
    return { generation: current.generation, changed: false, diff, rollouts: [] };
  }
  const doubt = needsConfirmation(current?.environment, environment);
  if (doubt && !options.confirmed) {
    throw new McpError('REFUSED_COUNT_CUT', doubt, { hint: 'If that is meant, say so with --yes.' });
  }
  const over = superseded(environment, current, rollouts, options);
  const begun =
    options.staged && current && !damage
      ? await begin(client, current.environment, environment, rollouts, over, options)
      : [];
  // What a rollout has brought up meanwhile is given up too; what is rolled out now gives up as it comes to it.
  const allowance = allowanceFor(current ? effectiveDesired(current, rollouts).environment : undefined, environment);
  for (const { service } of begun) delete allowance[service];
  const epoch = await readEpoch(client);
  const expectGeneration = options.expectGeneration ?? current?.generation ?? 0;
  const published = await publishDesired(client, {
    environment,
    author: options.author,
    reason: options.reason,
    allowance,
    expectGeneration,
    at: options.at,
    alongside: [
      ...[...over, ...begun].map((record) => rolloutOp({ rollouts }, record)),
      ...begun.map((record) =>
        rolloutEvent(record, record.phase === 'waiting' ? 'waiting' : 'started', options, epoch),
      ),
      ...declaredEvents(environment, diff, expectGeneration + 1, options, epoch).map(eventOp),
      ...(options.alongside ?? []),
    ],
  });
  return { generation: published.generation, changed: true, diff, rollouts: begun };
}

/** The rollouts that the new declaration begins. Instances are only looked at where there is one. */
async function begin(
  client: RegistryClient,
  before: Environment,
  after: Environment,
  rollouts: Record<string, Versioned<RolloutRecord>>,
  over: readonly RolloutRecord[],
  { author, reason, at, newId = randomUUID }: ApplyOptions,
): Promise<RolloutRecord[]> {
  const ended = new Set(over.map(({ service }) => service));
  const words = { before, after, rollouts, ended, newId, by: author, reason, at };
  if (beginRollouts({ ...words, newId: () => '', instancesOf: () => [] }).length === 0) return [];
  // Whether their addresses are believed is for those who route; here only what is up is counted.
  const registry = await readRegistry(client, { allowLoopback: true });
  return beginRollouts({ ...words, instancesOf: (service) => seenInstances(registry, service) });
}

/** The rollouts under way that end with the new declaration. */
function superseded(
  environment: Environment,
  current: DesiredRecord | null,
  rollouts: Record<string, Versioned<RolloutRecord>>,
  { author, at, supersede: isMeant }: ApplyOptions,
): RolloutRecord[] {
  const after = new Map(environment.services.map((service) => [service.name, service]));
  return meddledRollouts(environment, current?.environment, rollouts).map((record) => {
    if (!isMeant) throw underWay(record, `to declare it all the same: --supersede`);
    const cause = { by: author, why: 'something else was declared', now: at };
    return supersede(record, after.get(record.service) ?? null, cause);
  });
}

/** The rollouts under way whose services it changes. Another count is shared out, and changes none. */
export function meddledRollouts(
  environment: Environment,
  current: Environment | undefined,
  rollouts: Readonly<Record<string, { record: RolloutRecord }>>,
): RolloutRecord[] {
  const before = new Map(current?.services.map((service) => [service.name, service]));
  const after = new Map(environment.services.map((service) => [service.name, service]));
  return Object.values(rollouts)
    .map(({ record }) => record)
    .filter(
      (record) => isActive(record) && changesMoreThanCounts(before.get(record.service), after.get(record.service)),
    );
}

function changesMoreThanCounts(before: Service | undefined, after: Service | undefined): boolean {
  if (!before || !after) return before !== after;
  const plain = ({ versions, ...rest }: Service) => canonicalJson({ ...rest, versions: [] });
  return plain(before) !== plain(after) || !sameSide(runningVersions(before), runningVersions(after));
}

/** P16: of the whole, and of each service that it changes, in the write itself. */
function declaredEvents(
  environment: Environment,
  diff: EnvironmentDiff,
  generation: number,
  { author, reason, at }: ApplyOptions,
  epoch: number,
): EventRecord[] {
  const known = { at, actor: author, reason, epoch, operation: declaring(generation) };
  const counts = `${diff.countBefore} -> ${diff.countAfter} instances`;
  const changed = diff.services.filter(({ change }) => change !== 'same');
  return [
    { ...known, kind: 'environment.declared', message: `generation ${generation}: ${counts}` },
    ...changed.map(({ service }) => ({
      ...known,
      kind: 'service.declared',
      service,
      message: `generation ${generation}: ${service} ${sharesOf(environment, service)}`,
    })),
  ];
}

/** `1.2.0 x2 at weight 90, 1.3.0 x1 at weight 10`. */
function sharesOf({ services }: Environment, name: string): string {
  const service = services.find((one) => one.name === name);
  if (!service) return 'is declared no more';
  const words = runningVersions(service).map(
    ({ version, count, weight }) => `${version} x${count}${weight === undefined ? '' : ` at weight ${weight}`}`,
  );
  return words.join(', ') || 'has no instances';
}
