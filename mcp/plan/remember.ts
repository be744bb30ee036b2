/** How a snapshot, and what an execution did, enter a leader's memory. */
import type { MachineState } from '../../registrar/records.ts';
import { machineFailed, machineProven } from '../../vm-factory/pool/image-breaker.ts';
import { nextSlowStart } from '../../vm-factory/pool/slow-start.ts';
import { isActive, stageKey } from '../rollout/rollout-input.ts';
import { lostMachines } from './adopt-orphans.ts';
import { poolStep, startFailure } from './machine-health.ts';
import { destructionKeys, type FactKind, type FailedStarts, type PlannerMemory } from './memory.ts';
import type { Policy } from './policy.ts';
import { recallPool, rememberClaims } from './pool-record.ts';
import type { Snapshot } from './snapshot.ts';
import { machineKind } from './warm-pool.ts';
import { describeWorld, liveCount, serviceNames, type Unit, type World } from './world.ts';

/** Takes in what a snapshot shows. Call it once a snapshot, before makePlan. */
export function remember(before: PlannerMemory, snapshot: Snapshot, policy: Policy, now: number): PlannerMemory {
  const desired = snapshot.desired?.record;
  if (!desired) return before;
  const memory = recallPool(before, snapshot, now);
  const world = describeWorld(snapshot, desired);
  const since = rememberFacts(memory, world, snapshot, now);
  const states = rememberStates(memory, world, now);
  const known = { ...memory, since, states, wallAhead: memory.wallAhead ?? snapshot.at - now };
  return {
    ...known,
    ...rememberView(known, snapshot, policy, now),
    ...rememberFailures(known, memory, world, policy, now),
    ...rememberClaims(known, world),
    generation: Math.max(memory.generation, desired.generation),
    slowStart: now - memory.createdAt > policy.createIdleMs ? { ...memory.slowStart, batch: 1 } : memory.slowStart,
    levels: rememberLevels(memory, world, policy, now),
    destroyAskedAt: new Map([...memory.destroyAskedAt].filter(([uuid]) => states.get(uuid)?.state === 'deleting')),
  };
}

/** How one creation ended. */
export type CreationResult = { ok: true } | { ok: false; message: string; refused: boolean };

/** Takes in that something was written up to this zxid. */
export function rememberWrite(memory: PlannerMemory, zxid: number, now: number): PlannerMemory {
  return zxid > memory.lastWriteZxid ? { ...memory, lastWriteZxid: zxid, lastWriteAt: now } : memory;
}

/** Takes in that the provider was asked to destroy a machine. */
export function rememberDestroy(memory: PlannerMemory, uuid: string, now: number): PlannerMemory {
  return { ...memory, destroyAskedAt: new Map([...memory.destroyAskedAt, [uuid, now]]) };
}

/** Takes in how one creation ended. `refused`: the provider's word where no retry helps (fault 30). */
export function rememberCreation(
  memory: PlannerMemory,
  result: CreationResult,
  policy: Policy,
  now: number,
): PlannerMemory {
  const outcome = result.ok
    ? { succeeded: 1, failed: 0 }
    : { succeeded: 0, failed: 1, ...(result.refused ? { refused: result.message } : { why: result.message }) };
  return {
    ...memory,
    slowStart: nextSlowStart(memory.slowStart, outcome, now, policy.slowStart),
    createdAt: result.ok ? now : memory.createdAt,
  };
}

function rememberFacts(memory: PlannerMemory, world: World, snapshot: Snapshot, now: number): PlannerMemory['since'] {
  const keep = (kind: FactKind, keys: Iterable<string>) => {
    const before = memory.since[kind];
    const after = new Map<string, number>();
    for (const key of keys) after.set(key, before.get(key) ?? now);
    return after;
  };
  const rollouts = Object.values(snapshot.rollouts).map(({ record }) => record);
  const moving = rollouts.filter((record) => isActive(record) || record.wanted.length > 0);
  const watched = moving.flatMap(({ service }) => world.unitsOf.get(service) ?? []);
  return {
    // Only where a rollout asks how long.
    serving: keep('serving', watched.filter(({ serving }) => serving).map(uuidOf)),
    // While the brake is on no deadline comes nearer.
    stage: keep('stage', snapshot.suspended.record.suspended ? [] : moving.map(stageKey)),
    unserved: keep('unserved', world.units.filter(isUnserved).map(uuidOf)),
    agentless: keep('agentless', world.units.filter((unit) => unit.observed.agent === null).map(uuidOf)),
    orphan: keep('orphan', world.unknown.map(uuidOf)),
    lost: keep('lost', lostMachines(world, memory)),
    unlisted: keep('unlisted', world.units.filter((unit) => unit.provider === null).map(uuidOf)),
    destruction: keep(
      'destruction',
      Object.entries(snapshot.budgets).flatMap(([name, { record }]) => destructionKeys(name, record.destroyed)),
    ),
  };
}

function rememberStates(memory: PlannerMemory, world: World, now: number): PlannerMemory['states'] {
  const { states: before } = memory;
  const isKnown = ({ uuid, ledger }: Unit) => before.get(uuid)?.state === ledger.state;
  // Mostly nothing changed: a large map is not made anew for that.
  if (before.size === world.units.length && world.units.every(isKnown)) return before;
  const states = new Map<string, { state: MachineState; since: number }>();
  for (const { uuid, ledger } of world.units) {
    const known = before.get(uuid);
    states.set(uuid, known?.state === ledger.state ? known : { state: ledger.state, since: now });
  }
  return states;
}

function isUnserved(unit: Unit): boolean {
  return unit.ledger.state === 'claimed' && !unit.serving;
}

function uuidOf(thing: { uuid: string }): string {
  return thing.uuid;
}

/** P14: quiet until the window has passed and the view has stood still, but never for more than four windows. */
function rememberView(
  memory: PlannerMemory,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): Pick<PlannerMemory, 'view' | 'quietOver'> {
  if (memory.quietOver) return { view: memory.view, quietOver: true };
  const key = [
    ...snapshot.registrations.map(({ record }) => `${record.service}/${record.version}/${record.machine}`),
    ...snapshot.gateways.map((gateway) => gateway.id),
  ].join(' ');
  const view = key === memory.view.key ? memory.view : { key, since: now };
  const age = now - memory.termStartedAt;
  const stable = now - view.since >= policy.stableViewMs;
  const quietOver = age >= policy.quietWindowMs && (stable || age >= 4 * policy.quietWindowMs);
  return { view: quietOver ? { key: '', since: now } : view, quietOver };
}

/** The most live instances in each minute, as Eureka compares its renewals of a minute with what it expects of 15. */
function rememberLevels(memory: PlannerMemory, world: World, policy: Policy, now: number): PlannerMemory['levels'] {
  const minute = Math.floor(now / 60_000);
  const oldest = Math.floor((now - policy.levelWindowMs) / 60_000);
  return new Map(
    serviceNames(world).map((name) => {
      const live = liveCount(world, name);
      const samples = (memory.levels.get(name) ?? []).filter((sample) => sample.minute >= oldest);
      const current = samples.at(-1);
      if (current?.minute !== minute) return [name, [...samples, { minute, live }]];
      return [name, [...samples.slice(0, -1), { minute, live: Math.max(current.live, live) }]];
    }),
  );
}

/** Counts failed starts by digest and failed machines by image, each machine once; one that does well wipes the count. */
function rememberFailures(
  memory: PlannerMemory,
  before: PlannerMemory,
  world: World,
  policy: Policy,
  now: number,
): Pick<PlannerMemory, 'starts' | 'images' | 'counted'> {
  const starts = new Map(memory.starts);
  let images = memory.images;
  const counted = new Set<string>();
  for (const unit of world.units) {
    const { uuid, ledger } = unit;
    if (memory.counted.has(uuid)) {
      counted.add(uuid);
      continue;
    }
    const step = poolStep(world, unit, memory, policy, now);
    const failedStart = ledger.served ? null : startFailure(unit, memory, policy, now);
    if (step.kind === 'fail') images = machineFailed(images, machineKind(ledger), step.reason, now);
    else if (ledger.claim && failedStart !== null) countStart(starts, ledger.claim.digest, failedStart, now);
    else continue;
    counted.add(uuid);
  }
  for (const { uuid, ledger, serving } of world.units) {
    if (ledger.claim && serving && !ledger.served) starts.delete(ledger.claim.digest);
    const isNewlyReady = ledger.state === 'ready' && before.states.get(uuid)?.state !== 'ready';
    if (isNewlyReady && !counted.has(uuid)) images = machineProven(images, machineKind(ledger));
  }
  return { starts, images, counted };
}

function countStart(starts: Map<string, FailedStarts>, digest: string, lastReason: string, now: number): void {
  const failures = (starts.get(digest)?.failures ?? 0) + 1;
  starts.set(digest, { failures, lastAt: now, lastReason });
}
