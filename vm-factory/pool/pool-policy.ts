/** How many machines to make and which to give up, so that the pool has its size in proven machines of the right image. */
import type { MachineState } from '../../registrar/records.ts';
import type { WaitCause } from '../../registrar/wait-causes.ts';
import { breakerState, type ImageBreaker } from './image-breaker.ts';
import type { SlowStart } from './slow-start.ts';

/** What the policy must know of a machine in the ledger. Ages are ms of a clock that never jumps (fault 6). */
export interface PoolMachine {
  uuid: string;
  state: MachineState;
  image: string;
  /** Equal words, equal sizes. */
  flavor?: string;
  /** Since it entered its state, as far as the caller knows. */
  stateAgeMs: number;
  /** Since its creation, as far as the caller knows. */
  ageMs: number;
  /** Why it is given up, from nextMachineState; absent: it is not. */
  failure?: string;
}

export interface PoolInput {
  /** Ready machines wanted beyond what is claimed. */
  target: number;
  /** What new machines are made from; others are outdated. */
  image: string;
  /** Of what size; others are outdated too. */
  flavor?: string;
  /** The whole ledger, claimed machines included. */
  machines: readonly PoolMachine[];
  /** Claims that found no ready machine. */
  unmetClaims: number;
  /** Claimed machines whose services start now, slowed down by whatever else is made meanwhile. */
  starting?: number;
  /** Machines of any image that are on their way where all share one host; absent: they do not. */
  onSharedHost?: number;
  slowStart: SlowStart;
  breaker: ImageBreaker;
  /** Ready machines older than this, ms, are replaced, one at a time; null: never. */
  maxAgeMs: number | null;
  /** The provider's quota, where it has one. */
  limits: { machines: { limit: number; used: number } } | null;
  /** ms of the clock that `slowStart` and `breaker` were written with. */
  now: number;
}

export interface PoolPolicy {
  /** Failures of one image in a row that stop its refill. */
  breakerFailures: number;
  /** Then one machine is tried each time this has passed. */
  breakerCooldownMs: number;
  /** Machines on their way at a time while none of their image has ever become ready. */
  unprovenInFlight: number;
  /** On a shared host, machines on their way and services that start at a time: more only make each other miss their deadlines. */
  sharedHostInFlight: number;
  /** A surplus machine is given up when it has been ready this long: demand that comes back at once finds it. */
  surplusGraceMs: number;
}

export const defaultPoolPolicy: PoolPolicy = {
  breakerFailures: 3,
  breakerCooldownMs: 300_000,
  unprovenInFlight: 3,
  sharedHostInFlight: 4,
  surplusGraceMs: 30_000,
};

export interface PoolPlan {
  /** Machines to create of `input.image`. */
  create: number;
  /** Machines to give up, in this order; none is claimed. */
  retire: { uuid: string; reason: string }[];
  /** Why less is created than is missing. */
  waiting: { cause: WaitCause; why: string }[];
  alarms: { code: 'POOL_BREAKER' | 'POOL_QUOTA'; message: string }[];
}

/** Pure: the same input gives the same plan. */
export function planPool(input: PoolInput, policy: PoolPolicy = defaultPoolPolicy): PoolPlan {
  const stock = takeStock(input);
  const plan: PoolPlan = { create: 0, retire: [], waiting: [], alarms: [] };
  plan.retire.push(...failedOnes(stock), ...uselessOnes(stock), ...surplusOnes(stock, policy));
  if (stock.missing > 0) refill(plan, input, policy, stock);
  const why = `the refill of ${stock.deferred} waits until ${whatGoesFirst(input)}`;
  if (stock.deferred > 0) plan.waiting.push({ cause: 'refill-later', why });
  return plan;
}

function whatGoesFirst({ unmetClaims, starting = 0 }: PoolInput): string {
  if (unmetClaims > 0) return 'no claim waits for a machine any more';
  return starting === 1
    ? 'the service of a claimed machine serves'
    : `the services of ${starting} claimed machines serve`;
}

interface Stock {
  /** Ready machines wanted now. */
  wanted: number;
  /** How many of the right image are neither there nor on their way; while claims wait or start, only what they need. */
  missing: number;
  /** How many more the pool lacks, which are made when that is over. */
  deferred: number;
  failed: PoolMachine[];
  /** Of the right image and age, in any state before claimed. */
  fresh: PoolMachine[];
  freshReady: PoolMachine[];
  /** Of another image, and the oldest that is over age; the ready ones can still be claimed. */
  outdatedReady: PoolMachine[];
  outdatedUnready: PoolMachine[];
}

const poolStates: ReadonlySet<MachineState> = new Set(['building', 'verifying', 'ready']);

function takeStock({ machines, image, flavor, target, unmetClaims, starting = 0, maxAgeMs }: PoolInput): Stock {
  const pool = machines.filter(({ state }) => poolStates.has(state)).sort(oldestFirst);
  const sound = pool.filter(({ failure }) => failure === undefined);
  const isReady = ({ state }: PoolMachine) => state === 'ready';
  const isOther = (machine: PoolMachine) => machine.image !== image || machine.flavor !== flavor;
  const overAge = sound.find(
    (machine) => maxAgeMs !== null && !isOther(machine) && isReady(machine) && machine.ageMs > maxAgeMs,
  );
  const isOutdated = (machine: PoolMachine) => isOther(machine) || machine === overAge;
  const fresh = sound.filter((machine) => !isOutdated(machine));
  const outdated = sound.filter(isOutdated);
  const wanted = target + unmetClaims;
  const missing = Math.max(0, (unmetClaims + starting > 0 ? unmetClaims : wanted) - fresh.length);
  return {
    wanted,
    missing,
    deferred: Math.max(0, wanted - fresh.length) - missing,
    failed: pool.filter(({ failure }) => failure !== undefined),
    fresh,
    freshReady: fresh.filter(isReady),
    outdatedReady: outdated.filter(isReady),
    outdatedUnready: outdated.filter((machine) => !isReady(machine)),
  };
}

function oldestFirst(a: PoolMachine, b: PoolMachine): number {
  return b.ageMs - a.ageMs || (a.uuid < b.uuid ? -1 : 1);
}

function failedOnes({ failed }: Stock): PoolPlan['retire'] {
  return failed.map(({ uuid, failure }) => ({ uuid, reason: failure ?? '' }));
}

/** Outdated machines go when nobody can claim them yet, or as fresh ones are ready in their place. */
function uselessOnes({ outdatedReady, outdatedUnready, freshReady, wanted }: Stock): PoolPlan['retire'] {
  const spare = Math.max(0, outdatedReady.length - Math.max(0, wanted - freshReady.length));
  const reason = 'of another image or size, or over age, and no more needed';
  return [...outdatedUnready, ...outdatedReady.slice(0, spare)].map(({ uuid }) => ({ uuid, reason }));
}

/** Counted in ready ones: what is on its way may fail, and may be what the next claim needs. */
function surplusOnes({ freshReady, wanted }: Stock, { surplusGraceMs }: PoolPolicy): PoolPlan['retire'] {
  const over = Math.max(0, freshReady.length - wanted);
  return freshReady
    .filter(({ stateAgeMs }) => stateAgeMs >= surplusGraceMs)
    .slice(0, over)
    .map(({ uuid }) => ({ uuid, reason: `surplus: the pool wants ${wanted}` }));
}

function refill(plan: PoolPlan, input: PoolInput, policy: PoolPolicy, stock: Stock): void {
  const { slowStart, now } = input;
  // The cause told is that of the last one that binds: those after others last longer.
  const brakes = [
    slowStartCap(slowStart, now),
    hostCap(input, policy),
    imageCap(input, policy, stock, plan),
    quotaCap(input, stock, plan),
  ];
  plan.create = Math.min(stock.missing, ...brakes.map(({ cap }) => cap));
  if (plan.create === stock.missing) return;
  const binding = brakes.filter(({ cap }) => cap === plan.create);
  const cause = binding.at(-1)?.cause ?? 'slow-start';
  const left = stock.missing - plan.create;
  const words = binding.map(({ why }) => why).join('; ');
  plan.waiting.push({ cause, why: `${left} more ${left === 1 ? 'machine is' : 'machines are'} missing: ${words}` });
}

interface Brake {
  cause: WaitCause;
  cap: number;
  why: string;
}

function slowStartCap({ batch, blockedUntil, reason }: SlowStart, now: number): Brake {
  const left = blockedUntil - now;
  if (left > 0) return { cause: 'backoff', cap: 0, why: `${reason}; the next creation is tried in ${seconds(left)}` };
  const cap = Math.max(1, batch);
  return { cause: 'slow-start', cap, why: `creations start slowly, ${cap} at a time now` };
}

/** One is always on its way: services that never come up hold up nobody else. */
function hostCap({ onSharedHost, starting = 0 }: PoolInput, { sharedHostInFlight }: PoolPolicy): Brake {
  if (onSharedHost === undefined) return { cause: 'shared-host', cap: Infinity, why: '' };
  const busy = onSharedHost + starting;
  const cap = Math.max(onSharedHost === 0 ? 1 : 0, sharedHostInFlight - busy);
  return { cause: 'shared-host', cap, why: `the host has ${busy} machines and services to start already` };
}

function imageCap(
  { image, machines, breaker, now }: PoolInput,
  policy: PoolPolicy,
  stock: Stock,
  plan: PoolPlan,
): Brake {
  const onTheWay = stock.fresh.length - stock.freshReady.length;
  const limits = { failures: policy.breakerFailures, cooldownMs: policy.breakerCooldownMs };
  const state = breakerState(breaker, image, now, limits);
  if (state !== 'closed') {
    const { inARow = 0, lastAt = now, lastReason = '' } = breaker.get(image) ?? {};
    const message = `the last ${inARow} machines of image ${image} failed: ${lastReason}`;
    plan.alarms.push({ code: 'POOL_BREAKER', message });
    if (state === 'probing')
      return { cause: 'breaker', cap: Math.max(0, 1 - onTheWay), why: `${message}; one at a time is tried` };
    const why = `${message}; one is tried in ${seconds(lastAt + policy.breakerCooldownMs - now)}`;
    return { cause: 'breaker', cap: 0, why };
  }
  const failed = breaker.get(image)?.inARow ?? 0;
  if (failed > 0) {
    const cap = Math.max(0, policy.breakerFailures - failed - onTheWay);
    return { cause: 'breaker', cap, why: `${failed} of image ${image} failed in a row, so few are tried at a time` };
  }
  if (machines.some((machine) => machine.image === image && isProven(machine)))
    return { cause: 'unproven', cap: Infinity, why: '' };
  const cap = Math.max(0, policy.unprovenInFlight - onTheWay);
  return {
    cause: 'unproven',
    cap,
    why: `no machine of image ${image} has become ready yet, so few are tried at a time`,
  };
}

/** It was ready once. */
function isProven({ state, failure }: PoolMachine): boolean {
  return (state === 'ready' && failure === undefined) || state === 'claimed' || state === 'draining';
}

/** Where the quota is full of outdated machines, some of these make room. */
function quotaCap({ limits, slowStart }: PoolInput, stock: Stock, plan: PoolPlan): Brake {
  if (!limits) return { cause: 'quota', cap: Infinity, why: '' };
  const { limit, used } = limits.machines;
  const free = Math.max(0, limit - used);
  const why = `the provider's quota of ${limit} machines leaves ${free}`;
  if (free >= stock.missing) return { cause: 'quota', cap: free, why };
  plan.alarms.push({ code: 'POOL_QUOTA', message: `${why}, ${stock.missing} are missing` });
  const leaving = new Set(plan.retire.map(({ uuid }) => uuid));
  if (free === 0 && leaving.size === 0) {
    const room = Math.min(stock.missing, Math.max(1, slowStart.batch));
    const reason = 'of another image or size, or over age, and the quota has no room beside it';
    plan.retire.push(...stock.outdatedReady.slice(0, room).map(({ uuid }) => ({ uuid, reason })));
  }
  return { cause: 'quota', cap: free, why };
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
