/**
 * Watches every transaction and every provider call of a simulation, at the moment it happens, and says which promise it
 * breaks. It looks at the truth (the tree, the cloud), not at any controller's view of it, and shares no code with the planner.
 *
 * A controller acts on what it saw a moment ago, so what the world did meanwhile is no fault of its own: promises about the
 * state of a service hold if they held at some time within the last `lagMs`.
 */

import type {
  AgentRecord,
  AssignmentRecord,
  DesiredRecord,
  MachineRecord,
  RegistrationRecord,
  SuspendedRecord,
} from '../../registrar/records.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import type { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import { canonicalJson } from '../../specs/canonical-json.ts';
import type { FakeProvider } from '../../vm-factory/fake/fake-provider.ts';

const lagMs = 3_000;
const windowMs = 60_000;
const quietMs = 15_000;

interface ServiceMoment {
  at: number;
  live: number;
  declared: number;
  mass: boolean;
  /** Drains of this service before it. */
  drains: number;
}

export class Oracle {
  readonly violations: string[] = [];
  /** True while somebody else than MCP damages the registry. */
  wiping = false;
  readonly #registry: FakeRegistry;
  readonly #provider: FakeProvider;
  readonly #now: () => number;
  readonly #ledger = new Map<string, MachineRecord>();
  readonly #moments = new Map<string, ServiceMoment[]>();
  readonly #drains = new Map<string, number>();
  readonly #retired = new Map<string, number[]>();
  readonly #allowed = new Map<string, number>();
  #epoch = 0;
  #epochAt = 0;
  #suspendedSince: number | null = null;
  #creationsPlanned = 0;

  constructor(registry: FakeRegistry, provider: FakeProvider, now: () => number) {
    this.#registry = registry;
    this.#provider = provider;
    this.#now = now;
    const write = registry.write.bind(registry);
    registry.write = (ops, client) => {
      const counts = this.#countsBefore(ops.map(({ path }) => path));
      const before = new Map(this.#ledger);
      const assignments = new Map(ops.map(({ path }) => [path, this.#json<AssignmentRecord>(path)]));
      const results = write(ops, client);
      this.#afterWrite(
        ops.flatMap((op) => (op.op === 'check' ? [] : op.path)),
        before,
        assignments,
      );
      this.#noteRollouts(counts);
      return results;
    };
  }

  /** Takes the state of every service in; call it often. */
  look(): void {
    const desired = this.#json<DesiredRecord>('/desired');
    if (!desired) return;
    const names = new Set([...desired.environment.services.map(({ name }) => name), ...this.#moments.keys()]);
    for (const name of names) {
      const declared = this.#wanted(desired, name);
      const live = this.live(name).length;
      const served = [...this.#ledger.values()].filter(
        ({ claim, state, served: once }) => claim?.service === name && state === 'claimed' && once,
      ).length;
      const level = Math.min(declared, served);
      const mass = (live === 0 && level > 0) || (level - live >= 2 && live < 0.85 * level);
      const moments = (this.#moments.get(name) ?? []).filter(({ at }) => at >= this.#now() - lagMs);
      this.#moments.set(name, [
        ...moments,
        { at: this.#now(), live, declared, mass, drains: this.#drains.get(name) ?? 0 },
      ]);
    }
  }

  /** Machines that truly serve: registered up, running, and told to. */
  live(service: string): string[] {
    const versions = this.#children(`/services/${service}`);
    const running = new Set(this.#provider.truth().flatMap(({ uuid, state }) => (state === 'running' ? uuid : [])));
    return versions
      .flatMap((version) =>
        this.#children(`/services/${service}/${version}`).flatMap((uuid) => {
          const record = this.#json<RegistrationRecord>(`/services/${service}/${version}/${uuid}`);
          return record?.state === 'up' ? uuid : [];
        }),
      )
      .filter((uuid) => running.has(uuid) && (this.#ledger.get(uuid)?.state ?? 'claimed') === 'claimed');
  }

  /** P6: creations in a row of plans of one term. */
  creationsPlanned(epoch: number, count: number): void {
    if (epoch !== this.#epoch) return;
    if (count > 1 + this.#creationsPlanned)
      this.#tell('P6', `${count} creations after ${this.#creationsPlanned} in this term`);
    this.#creationsPlanned += count;
  }

  /** A controller of this epoch calls the provider. */
  calls(call: 'create' | 'destroy', uuid: string, epoch: number): void {
    const record = this.#json<MachineRecord>(`/machines/${uuid}`);
    if (epoch !== this.#epoch && this.#now() - this.#epochAt > 100) {
      this.#tell('P8', `${call} of ${uuid} in epoch ${epoch}, while it is ${this.#epoch}`);
    }
    if (this.#suspendedSince !== null && this.#now() - this.#suspendedSince > 100) {
      this.#tell('P13', `${call} of ${uuid} while suspended`);
    }
    if (call === 'destroy' && !record?.tombstone) this.#tell('P1', `destroy of ${uuid}, which has no tombstone`);
    if (call === 'create' && !record) this.#tell('P1', `create of ${uuid}, which is not in the ledger`);
  }

  #afterWrite(
    touched: string[],
    before: ReadonlyMap<string, MachineRecord>,
    assignments: ReadonlyMap<string, AssignmentRecord | null>,
  ): void {
    for (const path of touched) {
      if (path === '/epoch') this.#noteEpoch();
      if (path === '/desired') this.#noteAllowance();
      if (path === '/suspended') this.#noteSuspension();
      const uuid = /^\/machines\/([^/]+)$/.exec(path)?.[1];
      if (uuid !== undefined) this.#checkMachine(uuid, before.get(uuid) ?? null);
      if (path.endsWith('/assignment')) this.#checkAssignment(path, assignments.get(path) ?? null);
    }
  }

  #noteEpoch(): void {
    const version = this.#registry.tree.stat('/epoch')?.version ?? 0;
    if (version === this.#epoch) return;
    this.#epoch = version;
    this.#epochAt = this.#now();
    this.#creationsPlanned = 0;
  }

  #noteAllowance(): void {
    const allowance = this.#json<DesiredRecord>('/desired')?.allowance ?? {};
    for (const [name, count] of Object.entries(allowance)) {
      this.#allowed.set(name, (this.#allowed.get(name) ?? 0) + count);
    }
    this.look();
  }

  /** Instances of each version wanted right now: the declared ones, unless a rollout says otherwise. */
  #counts(desired: DesiredRecord, service: string): Map<string, number> {
    const versions = desired.environment.services.find(({ name }) => name === service)?.versions ?? [];
    const counts = new Map(versions.map(({ version, count }) => [version, count]));
    const rollout = this.#json<RolloutRecord>(`/rollouts/${service}`);
    if (!rollout || rollout.wanted.length === 0 || versions.length === 0) return counts;
    if (rollout.phase !== 'done') return new Map(rollout.wanted.map(({ version, count }) => [version, count]));
    for (const { version, count } of rollout.wanted) if (!counts.get(version)) counts.set(version, count);
    return counts;
  }

  #wanted(desired: DesiredRecord, service: string): number {
    return [...this.#counts(desired, service).values()].reduce((sum, count) => sum + count, 0);
  }

  #countsBefore(touched: string[]): Map<string, Map<string, number>> {
    const desired = this.#json<DesiredRecord>('/desired');
    const names = touched.flatMap((path) => /^\/rollouts\/(.+)$/.exec(path)?.[1] ?? []);
    return new Map(desired ? names.map((name) => [name, this.#counts(desired, name)]) : []);
  }

  /** P2: what a rollout wants no more is given up by who began it. */
  #noteRollouts(before: ReadonlyMap<string, ReadonlyMap<string, number>>): void {
    const desired = this.#json<DesiredRecord>('/desired');
    if (!desired) return;
    for (const [name, counts] of before) {
      const after = this.#counts(desired, name);
      let given = 0;
      for (const [version, count] of counts) given += Math.max(0, count - (after.get(version) ?? 0));
      this.#allowed.set(name, (this.#allowed.get(name) ?? 0) + given);
    }
    if (before.size > 0) this.look();
  }

  #noteSuspension(): void {
    const suspended = this.#json<SuspendedRecord>('/suspended')?.suspended === true;
    if (!suspended) this.#suspendedSince = null;
    else this.#suspendedSince ??= this.#now();
  }

  #checkMachine(uuid: string, before: MachineRecord | null): void {
    const after = this.#json<MachineRecord>(`/machines/${uuid}`);
    if (after) this.#ledger.set(uuid, after);
    else this.#ledger.delete(uuid);
    if (before?.protected && after?.state === 'draining')
      this.#tell('form', `machine ${uuid} is protected and was told to drain`);
    if (after && after.epoch !== this.#epoch && !saysAWordMore(before, after)) {
      this.#tell('P8', `machine ${uuid} was written in epoch ${after.epoch}, while it is ${this.#epoch}`);
    }
    const moved = after?.state !== before?.state;
    if (moved && this.#suspendedSince !== null && !this.wiping) {
      this.#tell('P13', `machine ${uuid} became ${after?.state ?? 'buried'} while suspended`);
    }
    if (!moved) return;
    if (after?.state === 'ready' && !this.#isProven(after)) {
      this.#tell('P5', `machine ${uuid} entered the pool without having passed its self-test`);
    }
    if (!after && before?.providerId !== undefined && !this.wiping && this.#json(`/ended/${uuid}`) === null) {
      this.#tell('P16', `machine ${uuid} left the ledger without a word`);
    }
    const isReadmitted = before === null && after?.served === true;
    if (after?.state === 'claimed' && before?.state !== 'ready' && !isReadmitted) {
      this.#tell('P5', `machine ${uuid} was claimed while ${before?.state}`);
    }
    if (after?.state === 'draining') this.#checkDrain(after);
    if (after?.state === 'deleting' && before) this.#checkRetirement(after, before);
    if (!after && !this.wiping && this.#provider.truth().some((machine) => machine.uuid === uuid)) {
      this.#tell('P7', `machine ${uuid} was buried alive`);
    }
  }

  #isProven({ uuid, verification }: MachineRecord): boolean {
    const told = this.#json<AgentRecord>(`/machines/${uuid}/agent`)?.selfTest;
    const sound = told?.figures.some(({ name, value }) => name === 'disk-content' && value === 0) ?? false;
    return sound && verification?.passed === true;
  }

  #checkAssignment(path: string, before: AssignmentRecord | null): void {
    const after = this.#json<AssignmentRecord>(path);
    if (before && after && after.want === 'run' && after.operation !== before.operation) {
      this.#tell('P5', `${path} was given twice: ${before.operation}, then ${after.operation}`);
    }
  }

  #checkDrain(machine: MachineRecord): void {
    const service = machine.claim?.service ?? '';
    this.#checkQuiet(machine, 'drained');
    // What is dead takes nothing away when it drains.
    if (this.#truth(machine.uuid)?.state !== 'running') return;
    const moments = this.#moments.get(service) ?? [];
    const before = this.#drains.get(service) ?? 0;
    this.#drains.set(service, before + 1);
    const surplus = Math.max(...moments.map(({ live, declared, drains }) => live - declared - (before - drains)));
    if (surplus < 1)
      this.#tell('P4', `machine ${machine.uuid} of ${service} drained, though none was more than declared`);
    this.#checkMass(machine, 'drained');
  }

  /** A machine that the provider calls stopped or broken is no more destroyed: it is dead. */
  #checkRetirement(after: MachineRecord, before: MachineRecord): void {
    const truth = this.#truth(after.uuid);
    if (!truth || truth.state === 'stopped' || truth.state === 'error') return;
    this.#checkQuiet(after, 'retired');
    const service = after.claim?.service;
    if (service === undefined) return;
    this.#checkMass(after, 'retired');
    if (before.state === 'claimed' && this.live(service).includes(after.uuid)) {
      this.#tell('P4', `machine ${after.uuid} serves ${service} and was retired without a drain`);
    }
    this.#checkBudget(service);
  }

  /** What an operator gave up pays first; the rest must fit into the window. */
  #checkBudget(service: string): void {
    const given = this.#allowed.get(service) ?? 0;
    if (given > 0) {
      this.#allowed.set(service, given - 1);
      return;
    }
    const recent = (this.#retired.get(service) ?? []).filter((at) => at > this.#now() - windowMs + lagMs);
    this.#retired.set(service, [...recent, this.#now()]);
    const desired = this.#json<DesiredRecord>('/desired');
    const most = Math.max(1, Math.floor(0.1 * (desired ? this.#wanted(desired, service) : 0)));
    if (recent.length >= most) {
      this.#tell('P2', `${recent.length + 1} of ${service} destroyed in ${windowMs / 1000} s, ${most} may be`);
    }
  }

  #checkQuiet(machine: MachineRecord, what: string): void {
    if (this.#now() - this.#epochAt < quietMs)
      this.#tell('P14', `machine ${machine.uuid} was ${what} in the quiet window`);
  }

  #checkMass(machine: MachineRecord, what: string): void {
    const moments = this.#moments.get(machine.claim?.service ?? '') ?? [];
    const long = moments.length > 0 && (moments[0]?.at ?? 0) <= this.#now() - lagMs / 2;
    if (long && moments.every(({ mass }) => mass)) {
      this.#tell('P3', `machine ${machine.uuid} of ${machine.claim?.service} was ${what} in a mass failure`);
    }
  }

  #truth(uuid: string) {
    return this.#provider.truth().find((machine) => machine.uuid === uuid);
  }

  #tell(promise: string, message: string): void {
    this.violations.push(`${promise}: ${message} (at ${this.#now()} ms)`);
  }

  #children(path: string): string[] {
    if (this.#registry.tree.stat(path) === null) return [];
    return this.#registry.tree.children(path, []).children;
  }

  #json<T>(path: string): T | null {
    if (this.#registry.tree.stat(path) === null) return null;
    const { data } = this.#registry.tree.get(path, []);
    return data.length === 0 ? null : (JSON.parse(data.toString('utf8')) as T);
  }
}

/** An operator's word is no act of a leader's: all else is as it was. */
function saysAWordMore(before: MachineRecord | null, after: MachineRecord): boolean {
  const rest = (record: MachineRecord | null) => canonicalJson({ ...record, protected: undefined, toLeave: undefined });
  return rest(before) === rest(after);
}
