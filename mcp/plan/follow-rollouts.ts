/**
 * Takes the rollouts of the snapshot one step on. What a step wants counts from the next look at the registry on, when it is
 * written there: this plan still goes by what is.
 */
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { dueIn } from '../rollout/due-in.ts';
import { nextRollout } from '../rollout/next-rollout.ts';
import type { RolloutInput, RolloutInstance } from '../rollout/rollout-input.ts';
import { stageKey } from '../rollout/rollout-input.ts';
import { namesOf } from '../rollout/sides.ts';
import { alarm, type Draft, wait } from './draft.ts';
import { isComing, startFailure, troubleOf } from './machine-health.ts';
import { ageOf } from './memory.ts';
import { countIf, type Unit } from './world.ts';

export function followRollouts(draft: Draft): void {
  for (const { record } of Object.values(draft.snapshot.rollouts)) followRollout(draft, record);
}

function followRollout(draft: Draft, record: RolloutRecord): void {
  const { service, operation } = record;
  const input = rolloutInput(draft, record);
  const step = nextRollout(input);
  draft.dueMs = Math.min(draft.dueMs, dueIn(input) ?? Number.POSITIVE_INFINITY);
  const name = `rollout of ${service}`;
  if (record.phase === 'reverting' || record.hold?.kind === 'failed')
    alarm(draft, 'ROLLOUT_FAILED', `${name}: ${record.why}`);
  if (step.waits !== '') wait(draft, { what: name, service, cause: 'rollout', why: step.waits });
  const { record: next, redeclare } = step;
  if (!next) return;
  const last = next.log.at(-1);
  const said =
    last && last !== record.log.at(-1) && next.log.length > 0 && !sameEntry(last, record.log.at(-1)) ? last : null;
  const version = namesOf(next.phase === 'reverting' ? next.from : next.to);
  const reason = said?.why ?? 'its instances came or went';
  draft.actions.push({ kind: 'roll', service, version, operation, record: next, redeclare, said, reason });
}

function sameEntry(a: RolloutRecord['log'][number], b: RolloutRecord['log'][number] | undefined): boolean {
  return b !== undefined && a.at === b.at && a.phase === b.phase && a.why === b.why;
}

function rolloutInput(draft: Draft, record: RolloutRecord): RolloutInput {
  const { world, memory, snapshot, input } = draft;
  const { service } = record;
  const services = snapshot.declared?.record.environment.services ?? [];
  return {
    record,
    declared: services.find(({ name }) => name === service) ?? null,
    instances: [
      ...(world.unitsOf.get(service) ?? []).flatMap((unit) => instanceOf(draft, unit) ?? []),
      ...standalones(draft, record),
    ],
    others: Object.values(snapshot.rollouts).map((one) => one.record),
    room: roomOf(draft),
    figures: input.figures?.get(service) ?? null,
    gate: input.gates?.get(service) ?? null,
    stageMs: ageOf(memory, 'stage', stageKey(record), input.now),
    now: snapshot.at,
  };
}

/** A claimed machine as the rollout sees it; null: it leaves, or was lost for a reason of its own. */
function instanceOf(draft: Draft, unit: Unit): RolloutInstance | null {
  const { memory, policy, input } = draft;
  const { claim } = unit.ledger;
  if (!claim || unit.ledger.state !== 'claimed') return null;
  const failure = failureOf(draft, unit);
  const coming = isComing(unit, memory, policy, input.now);
  if (!unit.serving && !coming && failure === null) return null;
  return {
    machine: unit.uuid,
    version: claim.version,
    digest: unit.registration?.record.digest ?? claim.digest,
    state: unit.serving ? 'live' : failure === null ? 'coming' : 'failed',
    healthyMs: unit.serving ? ageOf(memory, 'serving', unit.uuid, input.now) : 0,
    waitingMs: ageOf(memory, 'unserved', unit.uuid, input.now),
    reason: failure ?? wordsOf(unit),
  };
}

/** Starts of one that never served after which its version is at fault. */
const fewStarts = 2;

/** What speaks against the version of a machine that does not serve; null: nothing, or it is just restarted by its agent. */
function failureOf(draft: Draft, unit: Unit): string | null {
  if (unit.serving || unit.condition !== 'alive') return null;
  const agent = unit.observed.agent;
  const hasEnded = agent?.ended !== undefined;
  if (agent && unit.ledger.served && (agent.phase === 'unhealthy' || hasEnded) && agent.phase !== 'draining') {
    return `served and then failed: ${troubleOf(agent) || 'its health check fails'}`;
  }
  if (agent && hasEnded && agent.starts > fewStarts) return `started ${agent.starts} times: ${troubleOf(agent)}`;
  return startFailure(unit, draft.memory, draft.policy, draft.input.now);
}

function wordsOf({ observed }: Unit): string {
  const { agent } = observed;
  if (!agent) return 'its agent is away';
  const trouble = troubleOf(agent);
  return trouble ? `${agent.phase}: ${trouble}` : agent.phase;
}

/** Instances of other people's machines count for the new version; for the old one they don't, as nobody can make them leave. */
function standalones({ world }: Draft, { service, to }: RolloutRecord): RolloutInstance[] {
  return (world.standalonesOf.get(service) ?? []).flatMap(({ version, digest }, at) => {
    const same = to.find((one) => one.version === version && (digest ?? one.digest) === one.digest);
    if (!same) return [];
    const seen = { state: 'live', healthyMs: Number.POSITIVE_INFINITY, waitingMs: 0, reason: '' } as const;
    return [{ machine: `standalone-${at}`, version, digest: same.digest, ...seen }];
  });
}

/** Machines that the quota leaves once the pool is full. */
function roomOf({ snapshot, world }: Draft): number | null {
  const machines = snapshot.limits?.machines;
  if (!machines) return null;
  const pooled = countIf(world.units, ({ ledger }) => ['building', 'verifying', 'ready'].includes(ledger.state));
  return machines.limit - machines.used - Math.max(0, world.desired.environment.pool.size - pooled);
}
