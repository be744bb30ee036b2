/** How a snapshot, and what an execution did, enter a leader's memory. */
import { startFailure } from './machine-health.ts';
import { destructionKeys, type FactKind, type Outcome, type PlannerMemory, stateKey } from './memory.ts';
import type { Policy } from './policy.ts';
import type { Snapshot } from './snapshot.ts';
import { describeWorld, liveCount, serviceNames, type Unit, type World } from './world.ts';

/** Takes in what a snapshot shows. Call it once a snapshot, before makePlan. */
export function remember(memory: PlannerMemory, snapshot: Snapshot, policy: Policy, now: number): PlannerMemory {
  const desired = snapshot.desired?.record;
  if (!desired) return memory;
  const world = describeWorld(snapshot, desired);
  const since = rememberFacts(memory, world, snapshot, now);
  const known = { ...memory, since };
  return {
    ...known,
    ...rememberView(known, snapshot, policy, now),
    ...rememberStarts(known, world, policy, now),
    generation: Math.max(memory.generation, desired.generation),
    levels: rememberLevels(memory, world, policy, now),
    destroyAskedAt: new Map([...memory.destroyAskedAt].filter(([uuid]) => since.state.has(stateKey(uuid, 'deleting')))),
  };
}

/** Takes in what an execution did. Call it once an execution. */
export function rememberOutcome(memory: PlannerMemory, outcome: Outcome, policy: Policy, now: number): PlannerMemory {
  const wrote = outcome.lastWriteZxid > memory.lastWriteZxid;
  const { tried, failed, refused } = outcome.creations;
  const block =
    failed > 0
      ? { until: now + policy.createBackoffMs * (refused ? 10 : 1), reason: refused ?? 'the last creation failed' }
      : memory.createBlock;
  return {
    ...memory,
    lastWriteZxid: Math.max(memory.lastWriteZxid, outcome.lastWriteZxid),
    lastWriteAt: wrote ? now : memory.lastWriteAt,
    createBatch: failed > 0 || tried === 0 ? 1 : Math.min(memory.createBatch * 2, policy.maxCreateBatch),
    createBlock: tried > 0 && failed === 0 ? null : block,
    destroyAskedAt: new Map([...memory.destroyAskedAt, ...outcome.destroyAsked.map((uuid) => [uuid, now] as const)]),
  };
}

function rememberFacts(memory: PlannerMemory, world: World, snapshot: Snapshot, now: number): PlannerMemory['since'] {
  const keep = (kind: FactKind, keys: Iterable<string>) => {
    const before = memory.since[kind];
    const after = new Map<string, number>();
    for (const key of keys) after.set(key, before.get(key) ?? now);
    return after;
  };
  return {
    state: keep(
      'state',
      world.units.map((unit) => stateKey(unit.uuid, unit.ledger.state)),
    ),
    unserved: keep('unserved', world.units.filter(isUnserved).map(uuidOf)),
    orphan: keep('orphan', world.unknown.map(uuidOf)),
    unlisted: keep('unlisted', world.units.filter((unit) => unit.provider === null).map(uuidOf)),
    destruction: keep(
      'destruction',
      Object.entries(snapshot.budgets).flatMap(([name, { record }]) => destructionKeys(name, record.destroyed)),
    ),
  };
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

/** Counts failed starts by digest, each machine once; a start that serves wipes the count. */
function rememberStarts(
  memory: PlannerMemory,
  world: World,
  policy: Policy,
  now: number,
): Pick<PlannerMemory, 'starts' | 'counted'> {
  const starts = new Map(memory.starts);
  const counted = new Set<string>();
  for (const unit of world.units) {
    const digest = unit.ledger.claim?.digest;
    if (digest === undefined) continue;
    if (memory.counted.has(unit.uuid)) {
      counted.add(unit.uuid);
      continue;
    }
    const reason = startFailure(unit, memory, policy, now);
    if (reason !== null && !unit.ledger.served) {
      const failures = (starts.get(digest)?.failures ?? 0) + 1;
      starts.set(digest, { failures, lastAt: now, lastReason: reason });
      counted.add(unit.uuid);
    }
  }
  for (const unit of world.units) {
    const digest = unit.ledger.claim?.digest;
    if (digest !== undefined && unit.serving && !unit.ledger.served) starts.delete(digest);
  }
  return { starts, counted };
}
