/** The ready pool: machines prove themselves into it, and as many are made as it and the unmet claims need. */
import { flavorText } from '../../specs/flavor.ts';
import { imagesOf } from '../../specs/image-reference.ts';
import type { Flavor } from '../../specs/nouns.ts';
import { type PoolMachine, type PoolPlan, planPool } from '../../vm-factory/pool/pool-policy.ts';
import { poolSize } from '../../vm-factory/pool/pool-size.ts';
import { quietReason } from './brakes.ts';
import { poolBudgetName } from './budget.ts';
import { act, alarm, type Draft, wait, waitFor } from './draft.ts';
import { isBeforeClaim, poolStep } from './machine-health.ts';
import { stateAge } from './memory.ts';
import { isInTheMaking, isStarting } from './under-way.ts';
import { isOfWarmPool, machineKind, type PoolOfImage, warmPools } from './warm-pool.ts';
import { countIf, type Unit } from './world.ts';

export function keepPool(draft: Draft): void {
  const { snapshot, world, memory } = draft;
  const spec = world.desired.environment.pool;
  // A machine that another stage deals with is claimed, dead or gone by the next look; one that is noted down stays.
  const taken = new Set<string>();
  for (const action of draft.actions) if (removes.has(action.kind) && 'uuid' in action) taken.add(action.uuid);
  const machines: PoolMachine[] = [];
  const warm = new Map<string, PoolMachine[]>();
  for (const unit of world.units) {
    if (taken.has(unit.uuid)) continue;
    const machine = prove(draft, unit);
    const { template } = unit.ledger;
    if (template === undefined || !isOfWarmPool(unit)) machines.push(machine);
    else warm.set(template, [...(warm.get(template) ?? []), { ...machine, image: machineKind(unit.ledger) }]);
  }
  const starting = countIf(world.units, (unit) => isStarting(unit, memory, draft.input.now));
  const ask: Ask = {
    batch: Math.max(0, memory.slowStart.batch - creationsUnderWay(draft)),
    starting: starting + countIf(draft.actions, ({ kind }) => kind === 'claim'),
  };
  const others = imagesOf(world.desired.environment).filter((image) => image !== spec.image);
  const { target } = poolSize(spec, memory.claims, snapshot.at);
  // Of what only services ask for nothing is kept ready: it is made when it is claimed.
  for (const image of others)
    keepImage(draft, { image, kind: image, target: 0, of: machines.filter((one) => one.image === image) }, ask);
  const rest = machines.filter((one) => !others.includes(one.image));
  keepImage(draft, { image: spec.image, kind: spec.image, target, of: rest }, ask);
  for (const pool of warmPools(draft, warm)) keepImage(draft, pool, ask);
}

interface Ask {
  /** Creations that may still be asked for in this plan; what is used of it is taken off. */
  batch: number;
  /** Services that start, or will with this plan. */
  starting: number;
}

function keepImage(draft: Draft, pool: PoolOfImage, ask: Ask): void {
  const { image, kind, template, target, of, isHeld = false } = pool;
  const { snapshot, world, memory, policy, input } = draft;
  const { flavor, maxAgeMs = null } = world.desired.environment.pool;
  const noneCanBeMade = snapshot.missingImages?.[image];
  const unmetClaims = template === undefined && !isHeld ? (draft.unmetClaims.get(image) ?? 0) : 0;
  const plan = planPool(
    {
      target,
      image: kind,
      maxAgeMs,
      flavor: flavorText(flavor),
      machines: of,
      unmetClaims,
      starting: snapshot.sharedHost ? ask.starting : 0,
      onSharedHost: snapshot.sharedHost ? inTheMaking(draft) : undefined,
      slowStart: memory.slowStart,
      breaker: memory.images,
      limits: snapshot.limits,
      now: input.now,
    },
    policy.pool,
  );
  const failed = new Set(of.flatMap(({ uuid, failure }) => (failure === undefined ? [] : uuid)));
  for (const { uuid, reason } of plan.retire) {
    if (draft.heldClaims === 0 || failed.has(uuid)) retire(draft, uuid, reason);
  }
  if (isHeld) return;
  if (noneCanBeMade !== undefined) {
    if (plan.create > 0) wait(draft, { what: 'pool', cause: 'no-image', why: noneCanBeMade });
    return;
  }
  const count = Math.min(plan.create, ask.batch);
  ask.batch -= count;
  for (let made = 0; made < count; made += 1) create(draft, pool, flavor, unmetClaims);
  explain(draft, plan, plan.create - count);
}

/** With what this plan has asked for already. */
function inTheMaking({ world, actions }: Draft): number {
  return (
    countIf(world.units, ({ ledger }) => isInTheMaking(ledger)) + countIf(actions, ({ kind }) => kind === 'create')
  );
}

const removes = new Set(['claim', 'condemn', 'bury']);

/** Moves a machine on where it proved itself; gives what the pool policy must know of it. */
function prove(draft: Draft, unit: Unit): PoolMachine {
  const { memory, policy, input } = draft;
  const { uuid, ledger } = unit;
  const { state, image } = ledger;
  const flavor = flavorText(ledger.flavor);
  // Beyond the pool only their number and image count.
  if (!isBeforeClaim(state)) return { uuid, state, image, flavor, stateAgeMs: 0, ageMs: 0 };
  const step = poolStep(draft.world, unit, memory, policy, input.now);
  if (step.kind === 'advance') act(draft, { kind: 'advance', uuid, to: step.to, reason: step.reason });
  if (step.kind === 'wait') waitFor(draft, uuid, { cause: 'build', why: `${state}: ${step.why}` });
  const age = stateAge(memory, ledger, input.now);
  const known = { uuid, state, image, flavor, stateAgeMs: age, ageMs: ageForSure(draft, unit, age) };
  return step.kind === 'fail' ? { ...known, failure: step.reason } : known;
}

/**
 * Since its creation, ms: as far as this leader knows, or by the wall clocks where these say so with an hour to spare. A clock
 * that is an hour off when a term begins ages nothing, nor does one that jumps later, however far (fault 6); a leader that is
 * younger than its machines still finds the old ones.
 */
function ageForSure({ memory, input }: Draft, { ledger }: Unit, stateAgeMs: number): number {
  const wall = input.now + (memory.wallAhead ?? 0);
  return Math.max(stateAgeMs, wall - ledger.createdAt - clockErrorMs);
}

const clockErrorMs = 3_600_000;

function retire(draft: Draft, uuid: string, reason: string): void {
  if (draft.busy.has(uuid)) return;
  const quiet = quietReason(draft);
  const spent = quiet ? null : draft.budgets.take(poolBudgetName);
  if (spent) {
    act(draft, { kind: 'retire', uuid, budget: poolBudgetName, spent, operation: draft.input.newId(), reason });
  } else {
    const { cause, why } = quiet ?? draft.budgets.spent(poolBudgetName);
    waitFor(draft, uuid, { cause, why: `would be retired (${reason}); ${why}` });
  }
}

/** Creations of this term that the provider has not answered yet: they are part of the batch. */
function creationsUnderWay({ world, snapshot }: Draft): number {
  return countIf(
    world.units,
    ({ ledger }) => ledger.state === 'building' && ledger.providerId === undefined && ledger.epoch === snapshot.epoch,
  );
}

function create(draft: Draft, { image, template }: PoolOfImage, flavor: Flavor | undefined, unmetClaims: number): void {
  const { input } = draft;
  const short = template === undefined ? 'the ready pool is short' : 'none with its service started is ready';
  const reason = unmetClaims > 0 ? `${unmetClaims} claims wait for a machine` : short;
  const cloned = template === undefined ? {} : { template };
  const urgent = unmetClaims > 0 ? { urgent: true as const } : {};
  act(draft, {
    kind: 'create',
    uuid: input.newId(),
    operation: input.newId(),
    image,
    flavor,
    ...cloned,
    ...urgent,
    reason,
  });
}

function explain(draft: Draft, plan: PoolPlan, later: number): void {
  for (const waiting of plan.waiting) wait(draft, { what: 'pool', ...waiting });
  const why = `${later} more are created when the provider has answered what it was asked`;
  if (later > 0) wait(draft, { what: 'pool', cause: 'slow-start', why });
  for (const { code, message } of plan.alarms) alarm(draft, code, message);
}
