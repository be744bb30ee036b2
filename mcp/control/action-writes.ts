/** What each action writes to the registry, as operations of one multi. Pure. */
import { paths } from '../../registrar/layout.ts';
import { declareOps, nextDeclaration } from '../../registrar/recipes/desired-document.ts';
import type { AssignmentRecord, BudgetRecord, MachineRecord } from '../../registrar/records.ts';
import type { MultiOp } from '../../registrar/registry-client.ts';
import { codecs, encode } from '../../registrar/store/codecs.ts';
import { McpError } from '../../specs/errors.ts';
import { judgeSelfTest } from '../../vm-factory/pool/judge-self-test.ts';
import type { Action } from '../plan/plan.ts';
import type { ObservedMachine, Snapshot } from '../plan/snapshot.ts';
import { artifactStores } from './artifact-stores.ts';

export interface WriteFacts {
  snapshot: Snapshot;
  epoch: number;
  /** `controller:<id>`. */
  actor: string;
  /** ms since the Unix epoch. */
  now: number;
  /** The provider's name, for new ledger entries. */
  provider: string;
  machines: ReadonlyMap<string, ObservedMachine>;
  /** znode version of each budget as this execution left it; absent where there is no node. */
  budgetVersions: ReadonlyMap<string, number>;
  /** Children found below a machine's node that is to be buried. */
  children: readonly string[];
  /** A machine of this id was buried before. */
  endedBefore: boolean;
  /** The credential of a service's machines; absent where everybody may do everything. */
  serviceKey?: (service: string) => string;
}

export function writesOf(action: Action, facts: WriteFacts): MultiOp[] {
  switch (action.kind) {
    case 'create':
      return [createMachine(action.uuid, newMachine(action, facts))];
    case 'adopt':
      return [createMachine(action.uuid, adoptedMachine(action, facts)), spend(action.budget, action.spent, facts)];
    case 'readmit':
      return readmit(action, facts);
    case 'configure':
      return [configure(action.service, facts)];
    case 'roll':
      return roll(action, facts);
    default:
      return machineWrites(action, ledgerOf(action.uuid, facts), facts);
  }
}

type MachineAction = Exclude<Action, { kind: 'create' | 'adopt' | 'readmit' | 'configure' | 'roll' }>;

function machineWrites(action: MachineAction, machine: ObservedMachine, facts: WriteFacts): MultiOp[] {
  const { record } = machine;
  const change = (changes: Partial<MachineRecord>) => setMachine(machine, { epoch: facts.epoch, ...changes });
  const enter = (state: MachineRecord['state'], changes: Partial<MachineRecord> = {}) =>
    change({ state, changedAt: facts.now, times: { ...timesOf(record), [state]: facts.now }, ...changes });
  switch (action.kind) {
    case 'note':
      return [change({ providerId: action.providerId, address: action.address ?? record.address })];
    case 'confirm':
      return [change({ served: true, times: { ...timesOf(record), served: facts.now } })];
    case 'advance':
      return [enter(action.to, verificationOf(machine, facts))];
    case 'claim': {
      const assignment = newAssignment(action, facts);
      const { service, version, warm, operation } = action;
      const claim = { service, version, digest: assignment.version.digest, operation, at: facts.now, warm };
      return [
        enter('claimed', { claim }),
        { op: 'create', path: paths.assignment(action.uuid), data: encode(codecs.assignment, assignment) },
      ];
    }
    case 'drain':
      return [enter('draining', { reason: action.reason }), ...want('drain', machine, action.operation, facts)];
    case 'retire':
      return [
        enter('deleting', { ...tombstone(action, facts), ...verificationOf(machine, facts) }),
        ...want('stop', machine, action.operation, facts),
        spend(action.budget, action.spent, facts),
      ];
    case 'condemn':
      return [enter('deleting', tombstone(action, facts)), ...unregister(machine, facts), ...unassign(machine)];
    case 'bury':
      return [...unregister(machine, facts), ...buryNodes(machine, facts), remember(machine, action.reason, facts)];
    case 'destroy':
      return [{ op: 'check', path: paths.machine(action.uuid), version: machine.version }];
  }
}

function ledgerOf(uuid: string, facts: WriteFacts): ObservedMachine {
  const machine = facts.machines.get(uuid);
  if (!machine)
    throw new McpError('PLAN_INVALID', `the plan acts on machine ${uuid}, which its snapshot does not have`);
  return machine;
}

function createMachine(uuid: string, record: MachineRecord): MultiOp {
  return { op: 'create', path: paths.machine(uuid), data: encode(codecs.machine, record) };
}

function setMachine(machine: ObservedMachine, changes: Partial<MachineRecord>): MultiOp {
  const record = { ...machine.record, ...changes };
  return {
    op: 'set',
    path: paths.machine(record.uuid),
    data: encode(codecs.machine, record),
    version: machine.version,
  };
}

function newMachine(action: Extract<Action, { kind: 'create' }>, facts: WriteFacts): MachineRecord {
  const { uuid, image, flavor, template, operation, reason } = action;
  const { epoch, now, provider } = facts;
  const dates = { createdAt: now, changedAt: now, times: { building: now } };
  const stores = artifactStores(facts.snapshot.desired?.record.environment);
  return { uuid, provider, image, flavor, template, state: 'building', operation, epoch, stores, ...dates, reason };
}

function adoptedMachine(action: Extract<Action, { kind: 'adopt' }>, facts: WriteFacts): MachineRecord {
  const { uuid, providerId, image, operation, reason } = action;
  const { epoch, now, provider } = facts;
  const dates = { createdAt: now, changedAt: now };
  return {
    uuid,
    provider,
    providerId,
    image,
    state: 'deleting',
    operation,
    epoch,
    ...dates,
    tombstone: { reason, operation, at: now },
  };
}

function tombstone(action: { reason: string; operation: string }, facts: WriteFacts): Partial<MachineRecord> {
  const { reason, operation } = action;
  return { reason, tombstone: { reason, operation, at: facts.now } };
}

/** Machines of a ledger that did not keep them yet have the times that can be told from the rest. */
function timesOf({ times, state, createdAt, changedAt, claim }: MachineRecord): NonNullable<MachineRecord['times']> {
  return times ?? { building: createdAt, [state]: changedAt, ...(claim && { claimed: claim.at }) };
}

/** The self-test that its agent tells, as it is judged now; nothing where it was judged already, or tells none. */
function verificationOf({ record, agent }: ObservedMachine, { snapshot }: WriteFacts): Partial<MachineRecord> {
  if (record.verification || !agent?.selfTest) return {};
  return { verification: judgeSelfTest(agent.selfTest, snapshot.desired?.record.environment.pool.verify) };
}

/** The ledger's last word on a machine, kept for people. */
function remember({ record }: ObservedMachine, why: string, facts: WriteFacts): MultiOp {
  const reason = record.tombstone?.reason ?? why;
  const data = encode(codecs.ended, { machine: { ...record, times: timesOf(record) }, at: facts.now, reason });
  const path = paths.ended(record.uuid);
  return facts.endedBefore ? { op: 'set', path, data } : { op: 'create', path, data };
}

function readmit(action: Extract<Action, { kind: 'readmit' }>, facts: WriteFacts): MultiOp[] {
  const { uuid, providerId, operation, image, address, createdAt, runs } = action;
  const { epoch, now, provider } = facts;
  const state = runs ? 'claimed' : 'verifying';
  // When it came to its earlier states the ledger lost.
  const dates = { createdAt, changedAt: now, times: runs ? { served: now } : { verifying: now } };
  const known = { uuid, provider, providerId, image, state, operation, epoch, address, ...dates } as const;
  if (!runs) return [createMachine(uuid, known)];
  const { service, version, digest } = runs;
  const assignment = knownAssignment(runs, operation, facts);
  const claim = { service, version, digest, operation, at: now };
  return [
    createMachine(uuid, { ...known, claim, served: true }),
    { op: 'create', path: paths.assignment(uuid), data: encode(codecs.assignment, assignment) },
  ];
}

/** The assignment that the ledger lost, as declared; of what is not declared any more, no more than that it may go on and drain. */
function knownAssignment(
  { service, version, digest, port }: NonNullable<Extract<Action, { kind: 'readmit' }>['runs']>,
  operation: string,
  facts: WriteFacts,
): AssignmentRecord {
  const declared = facts.snapshot.desired?.record.environment.services.find(({ name }) => name === service);
  if (declared?.versions.some((one) => one.version === version && one.digest === digest))
    return newAssignment({ service, version, operation }, facts);
  const health = { kind: 'none', intervalMs: 1_000, timeoutMs: 1_000, rise: 1, fall: 1 } as const;
  const { drainTimeoutMs = 30_000, stopTimeoutMs = 5_000 } = declared ?? {};
  return {
    service,
    version: { version, digest, count: 0, command: [], port, env: {}, health },
    onConfigChange: 'none',
    drainTimeoutMs,
    stopTimeoutMs,
    key: facts.serviceKey?.(service),
    want: 'run',
    operation,
    epoch: facts.epoch,
  };
}

function newAssignment(
  action: Pick<Extract<Action, { kind: 'claim' }>, 'service' | 'version' | 'operation'>,
  facts: WriteFacts,
): AssignmentRecord {
  const service = facts.snapshot.desired?.record.environment.services.find(({ name }) => name === action.service);
  const version = service?.versions.find((one) => one.version === action.version);
  if (!service || !version) {
    throw new McpError(
      'PLAN_INVALID',
      `the plan claims for ${action.service}@${action.version}, which is not declared`,
    );
  }
  const { document, onConfigChange, configSignal, drainTimeoutMs, stopTimeoutMs } = service;
  return {
    service: service.name,
    version,
    document,
    onConfigChange,
    configSignal,
    drainTimeoutMs,
    stopTimeoutMs,
    key: facts.serviceKey?.(service.name),
    want: 'run',
    operation: action.operation,
    epoch: facts.epoch,
  };
}

/** A machine without an assignment (never claimed, or somebody took it away) has nothing to be told. */
function want(
  what: 'drain' | 'stop',
  { record, assignment }: ObservedMachine,
  operation: string,
  facts: WriteFacts,
): MultiOp[] {
  if (!assignment) return [];
  const changed = { ...assignment.record, want: what, operation, epoch: facts.epoch };
  const path = paths.assignment(record.uuid);
  return [{ op: 'set', path, data: encode(codecs.assignment, changed), version: assignment.version }];
}

function spend(budget: string, spent: BudgetRecord, facts: WriteFacts): MultiOp {
  const data = encode(codecs.budget, spent);
  const version = facts.budgetVersions.get(budget);
  const path = paths.budget(budget);
  return version === undefined ? { op: 'create', path, data } : { op: 'set', path, data, version };
}

function unassign({ record, assignment }: ObservedMachine): MultiOp[] {
  return assignment ? [{ op: 'delete', path: paths.assignment(record.uuid), version: assignment.version }] : [];
}

function unregister({ record }: ObservedMachine, facts: WriteFacts): MultiOp[] {
  return facts.snapshot.registrations
    .filter((entry) => entry.record.machine === record.uuid)
    .map((entry) => ({
      op: 'delete',
      path: paths.registration(entry.record.service, entry.record.version, record.uuid),
    }));
}

function buryNodes({ record, version }: ObservedMachine, facts: WriteFacts): MultiOp[] {
  const path = paths.machine(record.uuid);
  return [
    ...facts.children.map((name): MultiOp => ({ op: 'delete', path: `${path}/${name}` })),
    { op: 'delete', path, version },
  ];
}

function configure(name: string, facts: WriteFacts): MultiOp {
  const desired = facts.snapshot.desired?.record;
  const service = desired?.environment.services.find((one) => one.name === name);
  if (!desired || !service) throw new McpError('PLAN_INVALID', `the plan configures ${name}, which is not declared`);
  const data = encode(codecs.config, { service: name, generation: desired.generation, values: service.config });
  const kept = facts.snapshot.configs[name];
  const path = paths.config(name);
  return kept ? { op: 'set', path, data, version: kept.version } : { op: 'create', path, data };
}

/** The declaration must be the one that the step was decided by: it is written, or checked. */
function roll(action: Extract<Action, { kind: 'roll' }>, facts: WriteFacts): MultiOp[] {
  const { snapshot, actor, now } = facts;
  const { declared, rollouts } = snapshot;
  const known = rollouts[action.service];
  if (!declared || !known) {
    throw new McpError('PLAN_INVALID', `the plan rolls ${action.service}, of which its snapshot has no rollout`);
  }
  const step: MultiOp = {
    op: 'set',
    path: paths.rollout(action.service),
    data: encode(codecs.rollout, action.record),
    version: known.version,
  };
  const { redeclare, reason } = action;
  if (!redeclare) return [{ op: 'check', path: paths.desired, version: declared.version }, step];
  const { environment } = declared.record;
  const services = environment.services.map((service) => (service.name === redeclare.name ? redeclare : service));
  const next = nextDeclaration(declared.record, {
    environment: { ...environment, services },
    author: actor,
    reason: `rollout of ${action.service}: ${reason}`,
    allowance: {},
    at: now,
  });
  return [...declareOps(next, declared.version), step];
}
