/**
 * The independent checker: tells what a plan would break of the promises, from the snapshot alone, with no code of the
 * planner's. What both got wrong in the same way it cannot find; that is the simulation's part.
 */
import type { ProviderMachine } from '../../vm-factory/provider.ts';
import type { Action, Plan } from './plan.ts';
import type { ObservedMachine, Snapshot } from './snapshot.ts';

export interface Violation {
  /** `P1` ... `P14`, or `form` for a plan that is no plan. */
  promise: string;
  message: string;
}

/** What the checker may know of the term beside the snapshot. All ms of one clock. */
export interface TermFacts {
  /** True while nothing destructive may be done in this term (P14). */
  quiet: boolean;
  /** The zxid of the term's last own write, where it must be visible by now (P6). */
  mustSee: number;
}

const windowMs = 60_000;
const share = 0.1;
const poolAllowed = 10;
const destructive = new Set(['drain', 'retire', 'destroy', 'condemn', 'adopt']);

/** All violations; a plan with one must not be executed. Pure. */
export function checkPlan(snapshot: Snapshot, plan: Plan, term: TermFacts = { quiet: false, mustSee: 0 }): Violation[] {
  const facts = gather(snapshot);
  return [
    ...checkForm(facts, plan),
    ...checkProtected(facts, plan),
    ...checkTerm(facts, plan, term),
    ...checkIdentity(facts, plan),
    ...checkBudget(facts, plan),
    ...checkMassFailure(facts, plan),
    ...checkReplacementFirst(facts, plan),
    ...checkClaims(facts, plan),
    ...checkDead(facts, plan),
  ];
}

/** The snapshot by what the checks ask for. */
interface Facts {
  snapshot: Snapshot;
  known: Map<string, ObservedMachine>;
  listed: Map<string, ProviderMachine>;
  registered: Set<string>;
  /** Machines of the ledger that take requests for what they are claimed for. */
  serving: Set<string>;
  /** By service: live, those of other people's machines too. */
  live: Map<string, number>;
  declared: Map<string, number>;
}

function gather(snapshot: Snapshot): Facts {
  const known = new Map(snapshot.machines.map((machine) => [machine.record.uuid, machine]));
  const listed = new Map(snapshot.provider.map((machine) => [machine.uuid, machine]));
  const serving = new Set<string>();
  const live = new Map<string, number>();
  for (const { record } of snapshot.registrations) {
    if (record.state !== 'up') continue;
    const machine = known.get(record.machine);
    const claim = machine?.record.claim;
    if (machine) {
      if (machine.record.state !== 'claimed' || machine.assignment?.record.want !== 'run') continue;
      if (claim?.service !== record.service || claim.version !== record.version) continue;
      if ((listed.get(record.machine)?.state ?? 'stopped') === 'stopped') continue;
      serving.add(record.machine);
    }
    live.set(record.service, (live.get(record.service) ?? 0) + 1);
  }
  const services = snapshot.desired?.record.environment.services ?? [];
  return {
    snapshot,
    known,
    listed,
    registered: new Set(snapshot.registrations.map(({ record }) => record.machine)),
    serving,
    live,
    declared: new Map(
      services.map(({ name, versions }) => [name, versions.reduce((sum, { count }) => sum + count, 0)]),
    ),
  };
}

type Of<K extends Action['kind']> = Extract<Action, { kind: K }>;

function all<K extends Action['kind']>(plan: Plan, kind: K): Of<K>[] {
  return plan.actions.filter((action): action is Of<K> => action.kind === kind);
}

function checkForm({ snapshot, known }: Facts, plan: Plan): Violation[] {
  const found: Violation[] = [];
  const tell = (promise: string, message: string) => found.push({ promise, message });
  if (plan.epoch !== snapshot.epoch)
    tell('P8', `the plan is of epoch ${plan.epoch}, the snapshot of ${snapshot.epoch}`);
  if (plan.asOf !== snapshot.asOf) tell('P6', `the plan is of zxid ${plan.asOf}, the snapshot of ${snapshot.asOf}`);
  const seen = new Set<string>();
  for (const action of plan.actions) {
    if (action.reason === '') tell('P16', `a ${action.kind} has no reason`);
    if (action.kind === 'configure' || action.kind === 'roll') continue;
    if (seen.has(action.uuid)) tell('form', `machine ${action.uuid} has two actions in one plan`);
    seen.add(action.uuid);
    const isNew = action.kind === 'create' || action.kind === 'adopt' || action.kind === 'readmit';
    if (isNew === known.has(action.uuid)) {
      tell(
        'P1',
        `${action.kind} of machine ${action.uuid}, which the ledger ${isNew ? 'already has' : 'does not have'}`,
      );
    }
  }
  return found;
}

/** An operator's word stands over the policy's choice. */
function checkProtected({ known }: Facts, plan: Plan): Violation[] {
  return all(plan, 'drain')
    .filter(({ uuid }) => known.get(uuid)?.record.protected)
    .map(({ uuid }) => ({ promise: 'form', message: `machine ${uuid} is protected and is to be drained` }));
}

function checkTerm({ snapshot, registered }: Facts, plan: Plan, term: TermFacts): Violation[] {
  const found: Violation[] = [];
  const acts = plan.actions.filter(({ kind }) => kind !== 'note' && kind !== 'confirm');
  const first = acts[0];
  if (first && snapshot.suspended.record.suspended) {
    found.push({ promise: 'P13', message: `${first.kind} while suspended` });
  }
  if (first && snapshot.asOf < term.mustSee) {
    found.push({ promise: 'P6', message: `${first.kind} by a view older than the own last write` });
  }
  const harm = acts.find(
    (action) => destructive.has(action.kind) && !(action.kind === 'condemn' && !registered.has(action.uuid)),
  );
  if (term.quiet && harm) found.push({ promise: 'P14', message: `${harm.kind} in the quiet window` });
  return found;
}

/** P1: only what the ledger has condemned, at the provider's own id for it, is destroyed. */
function checkIdentity({ snapshot, known, listed, registered }: Facts, plan: Plan): Violation[] {
  const destroys = all(plan, 'destroy').flatMap(({ uuid, providerId }) => {
    const record = known.get(uuid)?.record;
    const problem =
      record?.state !== 'deleting' || !record.tombstone
        ? 'has no tombstone in the ledger'
        : listed.get(uuid)?.providerId !== providerId
          ? 'is not what the provider lists with our tag'
          : record.providerId !== undefined && record.providerId !== providerId
            ? 'has another id in the ledger'
            : null;
    return problem ? [{ promise: 'P1', message: `destroy of machine ${uuid}, which ${problem}` }] : [];
  });
  const adoptions = all(plan, 'adopt')
    .filter(({ uuid, providerId }) => listed.get(uuid)?.providerId !== providerId || registered.has(uuid))
    .map(({ uuid }) => ({
      promise: 'P1',
      message: `machine ${uuid} is to be adopted for destruction but is none of ours or serves`,
    }));
  const readmissions = all(plan, 'readmit')
    .filter(({ uuid, providerId, runs }) => {
      const runsIt = ({ record }: Snapshot['registrations'][number]) =>
        record.machine === uuid && record.service === runs?.service && record.version === runs.version;
      const claimed = runs !== null && !snapshot.registrations.some(runsIt);
      return claimed || listed.get(uuid)?.providerId !== providerId;
    })
    .map(({ uuid }) => ({
      promise: 'P1',
      message: `machine ${uuid} is to enter the ledger as what the provider or the registrations do not say it is`,
    }));
  return [...destroys, ...adoptions, ...readmissions];
}

/** P2: by the wall clock, which a leader may outlive but not hurry. */
function checkBudget({ snapshot, known, declared }: Facts, plan: Plan): Violation[] {
  const found: Violation[] = [];
  const spent = new Map<string, number>();
  const desired = snapshot.desired?.record;
  for (const action of plan.actions) {
    if (action.kind !== 'retire' && action.kind !== 'adopt') continue;
    spent.set(action.budget, (spent.get(action.budget) ?? 0) + 1);
    const owner = known.get(action.uuid)?.record.claim?.service ?? '_pool';
    if (action.budget !== owner) {
      found.push({ promise: 'P2', message: `machine ${action.uuid} of ${owner} is paid for by ${action.budget}` });
    }
  }
  for (const [name, count] of spent) {
    const record = snapshot.budgets[name]?.record;
    const recent = (record?.destroyed ?? []).filter((at) => Math.abs(snapshot.at - at) < windowMs).length;
    const used = record && record.generation === desired?.generation ? record.used : 0;
    const rollout = snapshot.rollouts[name]?.record;
    const paid = rollout && record?.rollout?.operation === rollout.operation ? record.rollout.used : 0;
    const given = Math.max(0, (desired?.allowance[name] ?? 0) - used) + Math.max(0, (rollout?.givenUp ?? 0) - paid);
    const most =
      name === '_pool'
        ? Math.max(poolAllowed, snapshot.machines.length * share)
        : Math.max(1, (declared.get(name) ?? 0) * share);
    const room = Math.max(0, Math.floor(most) - recent) + given;
    if (count > room) {
      found.push({
        promise: 'P2',
        message: `${count} of ${name} are to be destroyed, ${room} may be in ${windowMs / 1000} s`,
      });
    }
  }
  return found;
}

/** P3, as far as the registry alone can tell: machines that have served and do not now. */
function checkMassFailure({ snapshot, known, live, declared }: Facts, plan: Plan): Violation[] {
  const touched = new Set(
    plan.actions.flatMap((action) =>
      action.kind === 'drain' || action.kind === 'retire' ? (known.get(action.uuid)?.record.claim?.service ?? []) : [],
    ),
  );
  const once = new Map<string, number>();
  for (const { record } of touched.size > 0 ? snapshot.machines : []) {
    const service = record.claim?.service;
    if (service === undefined || record.state !== 'claimed' || !record.served) continue;
    once.set(service, (once.get(service) ?? 0) + 1);
  }
  return [...touched].flatMap((service) => {
    const level = Math.min(once.get(service) ?? 0, declared.get(service) ?? 0);
    const now = live.get(service) ?? 0;
    const mass = (now === 0 && level > 0) || (level - now >= 2 && now < 0.85 * level);
    if (!mass) return [];
    return [{ promise: 'P3', message: `${service} has ${now} of ${level} live and is to be made smaller` }];
  });
}

/** P4: as many stay live as are declared; and nothing that takes requests is retired without a drain. */
function checkReplacementFirst({ known, serving, live, declared }: Facts, plan: Plan): Violation[] {
  const found: Violation[] = [];
  const leaving = new Map<string, number>();
  for (const action of plan.actions) {
    if (action.kind !== 'drain' && action.kind !== 'retire') continue;
    const machine = known.get(action.uuid);
    const service = machine?.record.claim?.service;
    if (!machine || service === undefined) continue;
    const serves = serving.has(action.uuid);
    if (action.kind === 'retire' && serves) {
      found.push({
        promise: 'P4',
        message: `machine ${action.uuid} serves ${service} and is to be retired without a drain`,
      });
    }
    if (serves) leaving.set(service, (leaving.get(service) ?? 0) + 1);
  }
  for (const [service, count] of leaving) {
    const left = (live.get(service) ?? 0) - count;
    const total = declared.get(service) ?? 0;
    if (left < total) {
      found.push({
        promise: 'P4',
        message: `${left} of ${service} would be live after ${count} left, ${total} are declared`,
      });
    }
  }
  return found;
}

/** P5: ready, unclaimed, once; and never more than what is declared and not yet claimed. */
function checkClaims({ snapshot, known }: Facts, plan: Plan): Violation[] {
  const environment = snapshot.desired?.record.environment;
  const versions = new Set(
    (environment?.services ?? []).flatMap((service) =>
      service.versions.map(({ version }) => `${service.name}@${version}`),
    ),
  );
  const ownImage = new Map((environment?.services ?? []).map(({ name, image }) => [name, image]));
  return all(plan, 'claim').flatMap(({ uuid, service, version }) => {
    const machine = known.get(uuid);
    const problem =
      machine?.record.state !== 'ready' || machine.record.tombstone
        ? 'is not ready'
        : machine.assignment || machine.record.claim
          ? 'is claimed already'
          : !versions.has(`${service}@${version}`)
            ? `is claimed for ${service}@${version}, which is not declared`
            : machine.record.image !== (ownImage.get(service) ?? machine.record.image)
              ? `is of image ${machine.record.image}, not of the one that ${service} asks for`
              : null;
    return problem ? [{ promise: 'P5', message: `machine ${uuid} ${problem}` }] : [];
  });
}

/** Buried is only what the provider's complete list lacks, condemned only what it calls stopped or broken. */
function checkDead({ listed }: Facts, plan: Plan): Violation[] {
  const buried = all(plan, 'bury')
    .filter(({ uuid }) => listed.has(uuid))
    .map(({ uuid }) => ({ promise: 'P7', message: `machine ${uuid} is to be buried but the provider lists it` }));
  const condemned = all(plan, 'condemn')
    .filter(({ uuid }) => !['stopped', 'error'].includes(listed.get(uuid)?.state ?? 'gone'))
    .map(({ uuid }) => ({
      promise: 'P1',
      message: `machine ${uuid} is to be condemned but the provider does not call it dead`,
    }));
  return [...buried, ...condemned];
}
