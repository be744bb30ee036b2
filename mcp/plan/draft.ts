/** A plan in the making, and all that its stages look at. */
import type { VersionFigures } from '../../registrar/rollout-records.ts';
import type { GateLook } from '../rollout/rollout-input.ts';
import type { Budgets } from './budget.ts';
import type { ServiceCount } from './count-instances.ts';
import type { ServiceLevel } from './mass-failure.ts';
import type { PlannerMemory } from './memory.ts';
import type { Action, Alarm, Because, Plan, Waiting } from './plan.ts';
import type { Policy } from './policy.ts';
import type { Snapshot } from './snapshot.ts';
import type { World } from './world.ts';

export interface PlanInput {
  /** ms of a clock that never jumps. */
  now: number;
  /** Makes the UUIDs and operation ids of new acts. */
  newId: () => string;
  /** The gateways' figures of the services with a rollout, by service; a service without an entry has none. */
  figures?: ReadonlyMap<string, readonly VersionFigures[]>;
  /** What is known of the documents of new versions, by service; a service without an entry is not compared. */
  gates?: ReadonlyMap<string, GateLook>;
  /** Requests at the gateways by `inFlightKey`, some seconds old; absent where not all of them tell. */
  inFlight?: ReadonlyMap<string, number>;
}

/** What is wanted of a service and what there is, counted once a plan. */
export interface ServiceView extends ServiceCount, ServiceLevel {
  /** Instances declared, all versions; 0 where it is not declared. */
  total: number;
}

export interface Draft {
  snapshot: Snapshot;
  world: World;
  memory: PlannerMemory;
  policy: Policy;
  input: PlanInput;
  budgets: Budgets;
  /** Of every service that is declared or that a machine is claimed for, declared ones first. */
  services: ServiceView[];
  actions: Action[];
  waiting: Waiting[];
  alarms: Alarm[];
  /** Machines that an action of this plan already deals with: one act a machine and plan. */
  busy: Set<string>;
  /** Claims that found no ready machine, by the image that they need. */
  unmetClaims: Map<string, number>;
  /** Instances missing whose claims something holds back; what is ready now is kept for them. */
  heldClaims: number;
  /** ms until time alone changes what there is to do, as far as somebody knows. */
  dueMs: number;
}

/** Adds an action that changes a machine, unless this plan already has one for it. */
export function act(draft: Draft, action: Extract<Action, { uuid: string }>): void {
  if (draft.busy.has(action.uuid)) return;
  draft.busy.add(action.uuid);
  draft.actions.push(action);
}

export function wait(draft: Draft, waiting: Waiting): void {
  draft.waiting.push(waiting);
}

/** One machine waits. */
export function waitFor(draft: Draft, uuid: string, { cause, why }: Because): void {
  wait(draft, { what: `machine ${short(uuid)}`, cause, why });
}

export function alarm(draft: Draft, code: string, message: string): void {
  draft.alarms.push({ code, message });
}

/** A plan that does nothing, and says why. */
export function idlePlan(snapshot: Snapshot, waiting: Waiting[], alarms: Alarm[] = []): Plan {
  const generation = snapshot.desired?.record.generation ?? null;
  return { generation, epoch: snapshot.epoch, asOf: snapshot.asOf, actions: [], waiting, alarms };
}

export function planOf(draft: Draft): Plan {
  const { actions, waiting, alarms, dueMs } = draft;
  return { ...idlePlan(draft.snapshot, waiting, alarms), actions, ...(Number.isFinite(dueMs) ? { dueMs } : {}) };
}

/** First characters of a machine's UUID: enough for people. */
export function short(uuid: string): string {
  return uuid.slice(0, 8);
}
