/**
 * What declaring an environment leads to, step by step: the planner itself plays against a world in which all goes well
 * (rehearsal-world.ts), until everything is as declared or nothing moves any more. See decision 0090. Pure.
 */
import type { DesiredRecord } from '../../registrar/records.ts';
import type { RolloutGate, RolloutRecord } from '../../registrar/rollout-records.ts';
import type { RegistryView } from '../../registrar/store/registry-view.ts';
import { type GateLook, isActive, isForward } from '../rollout/rollout-input.ts';
import { promoteRollout } from '../rollout/steer-rollout.ts';
import { settledMemory } from './first-steps.ts';
import { makePlan } from './make-plan.ts';
import type { Measures } from './measures.ts';
import type { PlannerMemory } from './memory.ts';
import type { Action, Alarm, Plan, Waiting } from './plan.ts';
import { defaultPolicy } from './policy.ts';
import { type ProviderWords, RehearsalWorld } from './rehearsal-world.ts';
import { remember, rememberCreation, rememberDestroy } from './remember.ts';
import type { Snapshot } from './snapshot.ts';
import { describeWorld, liveCount, serviceNames } from './world.ts';

export interface RehearsalInput {
  registry: RegistryView;
  /** As it would be declared. */
  declared: DesiredRecord;
  /** Rollouts that declaring it begins. */
  begun: readonly RolloutRecord[];
  provider: ProviderWords;
  measures: Measures;
}

/** Things of one kind done to one version in a row. */
export interface RehearsalStep {
  /** ms since it began, as far as durations were measured. */
  at: number;
  kind: 'create' | 'claim' | 'serve' | 'drain' | 'destroy' | 'roll' | 'hold' | 'configure';
  /** `dns@1.3.0`, `pool`, or a service. */
  what: string;
  count: number;
  reason: string;
}

/** What happens to the machines of one version, or of the pool. */
export interface Tally {
  /** Machines claimed that were ready when it began, and such as had to be made first. */
  claim: number;
  build: number;
  drain: number;
  destroy: number;
}

export interface Rehearsal {
  steps: RehearsalStep[];
  /** By `dns@1.3.0`. */
  tallies: Record<string, Tally>;
  /** Machines made in all, whatever for. */
  created: number;
  /** Machines that exist at one time, at most, and what they are then. */
  peak: { machines: number; claimed: number; pool: number; leaving: number };
  /** ms until all is as declared; null: that is never reached, or not all that it takes was measured. */
  tookMs: number | null;
  unmeasured: string[];
  /** What holds it up for good, or takes a rollout back; empty: it comes to its end. */
  stuck: Waiting[];
  /** What held it up meanwhile, and for how long, ms: the budget, the host's cap and so on. */
  heldUp: (Waiting & { ms: number })[];
  alarms: Alarm[];
  /** Old instances kept at weight 0 at the end, by `dns@1.2.0`. */
  keptForUndo: Record<string, number>;
  /** The planner's plan of the first moment. */
  first: Plan;
}

const mostSweeps = 5_000;
/** ms: nothing moved for so long, and no rollout waits for its time: nothing will. */
const patienceMs = 900_000;
/** ms between two looks: soon after something was done, then less and less often. */
const firstTickMs = 1_000;
const lastTickMs = 30_000;

export function rehearse(input: RehearsalInput): Rehearsal {
  const rehearsal = new Running(input);
  for (let sweeps = 0; sweeps < mostSweeps && rehearsal.sweep(); sweeps += 1);
  return rehearsal.result();
}

class Running {
  readonly #world: RehearsalWorld;
  readonly #ready: ReadonlySet<string>;
  /** On their way out whatever is declared. */
  readonly #leaving: ReadonlySet<string>;
  readonly #steps: RehearsalStep[] = [];
  readonly #tallies: Record<string, Tally> = {};
  readonly #heldUp = new Map<string, Waiting & { ms: number }>();
  readonly #alarms = new Map<string, Alarm>();
  readonly #turnedBack: Waiting[] = [];
  #memory: PlannerMemory;
  #first: Plan | null = null;
  #last: { snapshot: Snapshot; plan: Plan } | null = null;
  #peak: Rehearsal['peak'] = { machines: 0, claimed: 0, pool: 0, leaving: 0 };
  #created = 0;
  #builtFor = 0;
  #convergedAt: number | null = null;
  #movedAt = 0;
  #tickMs = firstTickMs;
  #ids = 0;

  constructor({ registry, declared, begun, provider, measures }: RehearsalInput) {
    const rollouts = { ...registry.rollouts };
    for (const record of begun) rollouts[record.service] = { record, version: 0 };
    this.#world = new RehearsalWorld({ ...registry, rollouts }, declared, measures, provider);
    this.#memory = settledMemory(registry, declared.at);
    const inState = (...states: string[]) =>
      new Set(registry.machines.flatMap(({ record }) => (states.includes(record.state) ? [record.uuid] : [])));
    this.#ready = inState('ready');
    this.#leaving = inState('draining', 'deleting');
  }

  /** One look and what follows from it; false where there is nothing more to come. */
  sweep(): boolean {
    const world = this.#world;
    const { now } = world;
    const snapshot = world.snapshot();
    this.#memory = remember(this.#memory, snapshot, defaultPolicy, now);
    const newId = () => `rehearsed-${++this.#ids}`;
    const plan = makePlan(snapshot, this.#memory, defaultPolicy, { now, newId, gates: gatesOf(snapshot) });
    this.#first ??= plan;
    this.#last = { snapshot, plan };
    for (const action of plan.actions) this.#act(action);
    for (const alarm of plan.alarms) this.#alarms.set(alarm.code + alarm.message.replaceAll(/\d+/g, ''), alarm);
    const released = plan.actions.length === 0 && this.#release(snapshot);
    this.#count(snapshot);
    const moved = plan.actions.length > 0 || released;
    if (moved) this.#movedAt = now;
    if (!moved && world.next === null && this.#isOver(snapshot, plan)) return false;
    this.#wait(moved, plan);
    return true;
  }

  result(): Rehearsal {
    const { plan, snapshot } = this.#last as { snapshot: Snapshot; plan: Plan };
    const isReached = this.#convergedAt !== null && plan.actions.length === 0 && this.#turnedBack.length === 0;
    const unmeasured = [...this.#world.unmeasured].filter(
      // The time until all serves: what is destroyed or made for the pool nobody waits for.
      (what) => !what.startsWith('destroy ') && (this.#builtFor > 0 || !what.startsWith('build ')),
    );
    return {
      steps: this.#steps,
      tallies: this.#tallies,
      created: this.#created,
      peak: this.#peak,
      tookMs: isReached && unmeasured.length === 0 ? this.#convergedAt : null,
      unmeasured,
      stuck: isReached ? [] : [...this.#turnedBack, ...plan.waiting],
      heldUp: [...this.#heldUp.values()],
      alarms: [...this.#alarms.values()],
      keptForUndo: keptOf(snapshot),
      first: this.#first as Plan,
    };
  }

  #act(action: Action): void {
    this.#tell(action);
    if (action.kind === 'roll') this.#noteTurn(action);
    this.#world.act(action);
    if (action.kind === 'destroy') this.#memory = rememberDestroy(this.#memory, action.uuid, this.#world.now);
    if (action.kind === 'create') {
      this.#created += 1;
      this.#memory = rememberCreation(this.#memory, { ok: true }, defaultPolicy, this.#world.now);
    }
  }

  /** All goes well here, so a rollout that goes back has too little room or too little time. */
  #noteTurn({ service, record, reason }: Extract<Action, { kind: 'roll' }>): void {
    const before = this.#last?.snapshot.rollouts[service]?.record;
    if (record.phase !== 'reverting' || !before || !isForward(before)) return;
    this.#turnedBack.push({
      what: `rollout of ${service}`,
      service,
      cause: 'rollout',
      why: `it is taken back: ${reason}`,
    });
  }

  #tell(action: Action): void {
    const { reason } = action;
    if (action.kind === 'configure') this.#step('configure', action.service, reason);
    if (action.kind === 'roll' && action.said)
      // What figures say is known only then.
      this.#step('roll', action.service, `${action.said.phase}: ${action.said.why.replace(/; not judged.*/s, '')}`);
    if (action.kind === 'configure' || action.kind === 'roll') return;
    const claim = this.#world.machines.get(action.uuid)?.record.claim;
    const owner = claim ? `${claim.service}@${claim.version}` : 'pool';
    if (action.kind === 'create') this.#step('create', 'pool', reason);
    if (action.kind === 'confirm') this.#step('serve', owner, 'its instance serves');
    if (action.kind === 'claim') {
      const what = `${action.service}@${action.version}`;
      const isHit = this.#ready.has(action.uuid);
      if (!isHit) this.#builtFor += 1;
      this.#tally(what)[isHit ? 'claim' : 'build'] += 1;
      this.#step('claim', what, reason);
    }
    if ((action.kind === 'drain' || action.kind === 'destroy') && !this.#leaving.has(action.uuid)) {
      this.#tally(owner)[action.kind] += 1;
      this.#step(action.kind, owner, reason);
    }
  }

  #step(kind: RehearsalStep['kind'], what: string, reason: string): void {
    const last = this.#steps.at(-1);
    if (last?.kind === kind && last.what === what && kind !== 'roll') last.count += 1;
    else this.#steps.push({ at: this.#world.now, kind, what, count: 1, reason });
  }

  #tally(what: string): Tally {
    const known = this.#tallies[what] ?? { claim: 0, build: 0, drain: 0, destroy: 0 };
    this.#tallies[what] = known;
    return known;
  }

  #count(snapshot: Snapshot): void {
    const machines = this.#world.size;
    if (machines > this.#peak.machines) {
      const states = [...this.#world.machines.values()].map(({ record }) => record.state);
      const claimed = states.filter((state) => state === 'claimed').length;
      const leaving = states.filter((state) => state === 'draining' || state === 'deleting').length;
      this.#peak = { machines, claimed, leaving, pool: Math.max(0, machines - claimed - leaving) };
    }
    if (!isAsDeclared(snapshot)) this.#convergedAt = null;
    else this.#convergedAt ??= this.#world.now;
  }

  /** A hold for a person is let go, and told: what comes after it is asked for too. */
  #release(snapshot: Snapshot): boolean {
    const held = Object.values(snapshot.rollouts).find(
      ({ record }) => isForward(record) && record.hold !== null && record.hold.forMs === null,
    )?.record;
    if (!held?.hold) return false;
    const { service, hold } = held;
    this.#step(
      'hold',
      service,
      `${hold.why}: mcp ${hold.kind === 'operator' ? 'rollouts resume' : 'promote'} ${service}`,
    );
    const record = promoteRollout(held, false, { by: 'rehearsal', why: 'rehearsed', now: snapshot.at });
    this.#world.act({
      ...{ kind: 'roll', service, version: '', operation: held.operation, record, redeclare: null, said: null },
      reason: 'rehearsed',
    });
    return true;
  }

  #isOver(snapshot: Snapshot, { waiting }: Plan): boolean {
    const rolls = Object.values(snapshot.rollouts).some(({ record }) => isActive(record));
    if (rolls) return this.#world.now - this.#movedAt > longestWait(snapshot);
    const open = waiting.filter(({ cause }) => cause !== 'rollout');
    return open.length === 0 || this.#world.now - this.#movedAt > patienceMs;
  }

  #wait(moved: boolean, { waiting }: Plan): void {
    const { now, next } = this.#world;
    this.#tickMs = moved ? firstTickMs : Math.min(lastTickMs, this.#tickMs * 1.2);
    const tick = moved ? 20 : Math.round(this.#tickMs);
    const until = next === null ? now + tick : Math.min(now + tick, Math.max(next, now));
    for (const one of waiting) {
      const key = `${one.what} ${one.cause}`;
      const known = this.#heldUp.get(key) ?? { ...one, ms: 0 };
      known.ms += until - now;
      this.#heldUp.set(key, known);
    }
    this.#world.advanceTo(until);
  }
}

/** Every service has what is wanted of it, nothing drains, and no rollout is under way. */
function isAsDeclared(snapshot: Snapshot): boolean {
  const desired = snapshot.desired?.record;
  if (!desired || Object.values(snapshot.rollouts).some(({ record }) => isActive(record))) return false;
  const world = describeWorld(snapshot, desired);
  if (snapshot.registrations.some(({ record }) => record.state === 'draining')) return false;
  return serviceNames(world).every((name) => {
    const versions = world.services.get(name)?.versions ?? [];
    const wanted = versions.reduce((sum, { count }) => sum + count, 0);
    const units = (world.unitsOf.get(name) ?? []).filter(({ ledger }) => ledger.state === 'claimed');
    const strangers = world.standalonesOf.get(name)?.length ?? 0;
    const exact = versions.every(({ version, digest, count }) => {
      const runs = units.filter(({ ledger: { claim } }) => claim?.version === version && claim.digest === digest);
      return runs.length + strangers >= count;
    });
    return exact && liveCount(world, name) >= wanted && units.every(({ serving }) => serving) && units.length <= wanted;
  });
}

/** A document that breaks nobody, once its instance serves: what the rollout hopes for. */
function gatesOf(snapshot: Snapshot): Map<string, GateLook> {
  const services = snapshot.desired?.record.environment.services ?? [];
  return new Map(
    Object.values(snapshot.rollouts).flatMap(({ record: { service, to } }): [string, GateLook][] => {
      if (services.find(({ name }) => name === service)?.document === undefined) return [];
      const serves = snapshot.registrations.some(
        ({ record }) =>
          record.service === service && record.state === 'up' && to.some(({ digest }) => digest === record.digest),
      );
      const found: RolloutGate = {
        at: 0,
        verdict: 'safe',
        words: 'its document breaks no caller',
        findings: [],
        leftOut: 0,
      };
      return [[service, serves ? { found } : { waits: 'its document is read once an instance serves' }]];
    }),
  );
}

/** The longest that a rollout may wait for nothing but time, ms. */
function longestWait({ rollouts }: Snapshot): number {
  const waits = Object.values(rollouts).flatMap(({ record }) => {
    if (!isActive(record)) return [];
    const { bakeMs, minHealthyMs, pauses, progressDeadlineMs } = record.settings;
    return [bakeMs, minHealthyMs, progressDeadlineMs, ...pauses.map(({ forMs }) => forMs ?? 0)];
  });
  return Math.max(patienceMs, ...waits) + lastTickMs;
}

function keptOf(snapshot: Snapshot): Record<string, number> {
  const kept: Record<string, number> = {};
  for (const { record } of Object.values(snapshot.rollouts)) {
    if (record.phase !== 'done' || record.keep === 0) continue;
    for (const { version, count } of record.wanted) if (count > 0) kept[`${record.service}@${version}`] = count;
  }
  return kept;
}
