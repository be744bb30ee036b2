/**
 * A world in which every act succeeds and takes as long as it was measured to take: what the planner is rehearsed in. It knows
 * nothing of why; it does what agents, provider and gateways do when all is well. Pure: its own copy, its own clock.
 */
import { effectiveDesired } from '../../registrar/recipes/effective-environment.ts';
import type { DesiredRecord } from '../../registrar/records.ts';
import type { ProviderRecord } from '../../registrar/status-records.ts';
import type { RegistryView } from '../../registrar/store/registry-view.ts';
import type { Service } from '../../specs/nouns.ts';
import type { ProviderMachine, TemplateState } from '../../vm-factory/provider.ts';
import type { Measure, Measures } from './measures.ts';
import type { Action } from './plan.ts';
import type { ObservedMachine, Snapshot } from './snapshot.ts';
import { machineKind } from './warm-pool.ts';

/** What the leader said of the provider. */
export type ProviderWords = Pick<ProviderRecord, 'machines' | 'sharedHost' | 'memory' | 'missingImages'>;

interface Event {
  at: number;
  happen: () => void;
}

/** ms that stand for what was never measured: they give an order, and no time. */
const unmeasuredMs = 1_000;

export class RehearsalWorld {
  /** ms since the rehearsal began. */
  now = 0;
  /** What would have to be measured to tell the time that all takes: `start of dns@1.3.0`. */
  readonly unmeasured = new Set<string>();
  readonly #startedAt: number;
  readonly #measures: Measures;
  readonly #provider: ProviderWords;
  readonly #view: RegistryView;
  readonly #listed = new Map<string, ProviderMachine>();
  #machines: Map<string, ObservedMachine>;
  #events: Event[] = [];

  /** `declared`: what is declared from the first moment on. The brake is off: whoever asks wants to know what it holds up. */
  constructor(view: RegistryView, declared: DesiredRecord, measures: Measures, provider: ProviderWords) {
    this.#view = structuredClone({ ...view, declared: { record: declared, version: 0 } });
    this.#view.suspended.record.suspended = false;
    this.#startedAt = declared.at;
    this.#measures = measures;
    this.#provider = provider;
    this.#machines = new Map(this.#view.machines.map((machine) => [machine.record.uuid, machine]));
    const mark = { generation: declared.generation, asOf: view.asOf };
    this.#view.gateways = this.#view.gateways.map((gateway) => ({ ...gateway, served: mark, drained: mark }));
    for (const machine of this.#machines.values()) this.#resume(machine);
  }

  get machines(): ReadonlyMap<string, ObservedMachine> {
    return this.#machines;
  }

  get #wallClock(): number {
    return this.#startedAt + this.now;
  }

  /** Machines that exist. */
  get size(): number {
    return this.#listed.size;
  }

  /** When something happens next by itself; null: nothing does. */
  get next(): number | null {
    return this.#events.reduce<number | null>((first, { at }) => (first === null || at < first ? at : first), null);
  }

  snapshot(): Snapshot {
    const { declared, rollouts } = this.#view;
    const { machines: quota, sharedHost, missingImages } = this.#provider;
    const record = declared ? effectiveDesired(declared.record, rollouts) : null;
    return {
      ...this.#view,
      at: this.#wallClock,
      machines: [...this.#machines.values()],
      desired: record && { record, version: 0 },
      provider: [...this.#listed.values()],
      limits: quota ? { machines: { limit: quota.limit, used: quota.others + this.size } } : null,
      ...(sharedHost === undefined ? {} : { sharedHost }),
      ...(missingImages === undefined ? {} : { missingImages }),
      templates: this.#templates(),
    };
  }

  advanceTo(now: number): void {
    this.now = now;
    const due = this.#events.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    this.#events = this.#events.filter(({ at }) => at > now);
    for (const { happen } of due) happen();
  }

  /** Takes an action as done. Machines that the ledger lacks are none of a rehearsal's. */
  act(action: Action): void {
    if (action.kind === 'create') this.#create(action);
    else if (action.kind === 'configure') this.#configure(action.service);
    else if (action.kind === 'roll') this.#roll(action);
    else {
      const machine = this.#machines.get(action.uuid);
      if (machine) this.#change(machine, action);
    }
  }

  #change(machine: ObservedMachine, action: Exclude<Action, { kind: 'create' | 'configure' | 'roll' }>): void {
    const { uuid, kind, reason } = action;
    if (kind === 'note') this.#set(machine, { providerId: action.providerId });
    if (kind === 'confirm') this.#set(machine, { served: true });
    if (kind === 'advance') this.#set(machine, { state: action.to });
    if (kind === 'claim') this.#claim(machine, action);
    if (kind === 'drain') this.#drain(machine, reason);
    if (kind === 'retire') this.#view.budgets[action.budget] = { record: action.spent, version: 0 };
    if (kind === 'retire' || kind === 'condemn') this.#retire(machine, action);
    if (kind === 'destroy')
      this.#after(this.#tookFor('destroy', [machine.record.image]), () => this.#listed.delete(uuid));
    if (kind === 'bury') {
      this.#machines.delete(uuid);
      this.#unregister(uuid);
    }
  }

  /** What was under way when it was looked at goes on. */
  #resume(machine: ObservedMachine): void {
    const {
      uuid,
      state,
      createdAt,
      changedAt,
      claim,
      providerId = `p-${uuid}`,
      operation,
      image,
      address,
    } = machine.record;
    const since = (from: number) => Math.max(0, this.#startedAt - from);
    const isReal = machine.record.providerId !== undefined || state === 'building';
    if (isReal) this.#listed.set(uuid, { uuid, providerId, operation, image, state: 'running', address, createdAt });
    if (state === 'building' || state === 'verifying') {
      this.#after(Math.max(0, this.#tookFor('build', [machineKind(machine.record)]) - since(createdAt)), () =>
        this.#ready(uuid),
      );
      this.#list(uuid, 'building');
    }
    const phase = machine.agent?.phase;
    const comes = phase !== undefined && phase !== 'failed' && phase !== 'unhealthy' && phase !== 'serving';
    if (state === 'claimed' && claim && comes) {
      const left =
        this.#tookFor(claim.warm ? 'warm' : 'start', [`${claim.service}@${claim.version}`, claim.service]) -
        since(claim.at);
      this.#after(Math.max(0, left), () => this.#serve(uuid));
    }
    if (state === 'draining') {
      const left = this.#tookFor('drain', [claim?.service ?? '']) - since(changedAt);
      this.#after(Math.max(0, left), () => this.#drained(uuid));
    }
    if (state === 'deleting') this.#stopAgent(uuid);
  }

  #create({ uuid, operation, image, flavor, template, reason }: Extract<Action, { kind: 'create' }>): void {
    const at = this.#wallClock;
    const { epoch } = this.#view;
    const record = {
      uuid,
      provider: '',
      image,
      state: 'building',
      operation,
      epoch,
      createdAt: at,
      changedAt: at,
    } as const;
    const full = {
      ...record,
      providerId: `p-${uuid}`,
      reason,
      ...(flavor === undefined ? {} : { flavor }),
      ...(template === undefined ? {} : { template }),
    };
    this.#machines.set(uuid, { record: full, version: 0, assignment: null, agent: null });
    this.#listed.set(uuid, { uuid, providerId: full.providerId, operation, image, state: 'building', createdAt: at });
    this.#after(this.#tookFor('build', [machineKind(full)]), () => this.#ready(uuid));
  }

  /** Its self-test is taken as passed. */
  #ready(uuid: string): void {
    const machine = this.#machines.get(uuid);
    if (!machine || (machine.record.state !== 'building' && machine.record.state !== 'verifying')) return;
    this.#list(uuid, 'running');
    const { template } = machine.record;
    const holds = template === undefined ? {} : { template };
    this.#machines.set(uuid, {
      ...machine,
      record: { ...machine.record, state: 'ready', changedAt: this.#wallClock },
      agent: { machine: uuid, phase: 'idle', reason: '', at: this.#wallClock, starts: 0, ...holds },
    });
  }

  #claim(
    machine: ObservedMachine,
    { service: name, version: of, operation, warm }: Extract<Action, { kind: 'claim' }>,
  ): void {
    const service = this.#serviceNow(name);
    const version = service?.versions.find((one) => one.version === of);
    if (!service || !version) return;
    const at = this.#wallClock;
    const { uuid } = machine.record;
    const { onConfigChange, drainTimeoutMs, stopTimeoutMs } = service;
    const claim = { service: name, version: of, digest: version.digest, operation, at, ...(warm ? { warm } : {}) };
    const assignment = {
      ...{ service: name, version, onConfigChange, drainTimeoutMs, stopTimeoutMs, operation },
      ...{ want: 'run' as const, epoch: this.#view.epoch },
    };
    this.#machines.set(uuid, {
      ...machine,
      record: { ...machine.record, state: 'claimed', claim, changedAt: at },
      assignment: { record: assignment, version: 0 },
      agent: { machine: uuid, phase: 'starting', reason: '', at, starts: 1, service: name, version: of },
    });
    this.#after(this.#tookFor(warm ? 'warm' : 'start', [`${name}@${of}`, name]), () => this.#serve(uuid));
  }

  #serve(uuid: string): void {
    const machine = this.#machines.get(uuid);
    if (machine?.record.state !== 'claimed' || !machine.record.claim) return;
    const { service, version, digest } = machine.record.claim;
    const at = this.#wallClock;
    const port = machine.assignment?.record.version.port ?? 0;
    const address = machine.record.address ?? '';
    const known = { schema: 1, service, version, machine: uuid, address, port, state: 'up', digest, at } as const;
    this.#unregister(uuid);
    this.#view.registrations.push({ record: known, mzxid: this.#view.asOf });
    this.#machines.set(uuid, { ...machine, agent: agentOf(machine, 'serving', at) });
  }

  #drain(machine: ObservedMachine, reason: string): void {
    const { uuid, claim } = machine.record;
    this.#tell(machine, 'drain');
    this.#set(this.#machines.get(uuid) ?? machine, { state: 'draining', reason });
    this.#after(this.#tookFor('drain', [claim?.service ?? '']), () => this.#drained(uuid));
  }

  #drained(uuid: string): void {
    this.#view.registrations = this.#view.registrations.map((one) =>
      one.record.machine === uuid ? { record: { ...one.record, state: 'draining' }, mzxid: this.#view.asOf } : one,
    );
  }

  #retire(machine: ObservedMachine, { reason, operation }: { reason: string; operation: string }): void {
    const at = this.#wallClock;
    const { uuid } = machine.record;
    this.#tell(machine, 'stop');
    this.#unregister(uuid);
    this.#set(this.#machines.get(uuid) ?? machine, { state: 'deleting', reason, tombstone: { reason, operation, at } });
    this.#stopAgent(uuid);
  }

  #stopAgent(uuid: string): void {
    const machine = this.#machines.get(uuid);
    if (machine) this.#machines.set(uuid, { ...machine, agent: agentOf(machine, 'stopped', this.#wallClock) });
  }

  #configure(name: string): void {
    const values = this.#serviceNow(name)?.config ?? {};
    this.#view.configs[name] = {
      record: { service: name, generation: this.#view.declared?.record.generation ?? 0, values },
      version: 0,
    };
  }

  #roll({ service, record, redeclare }: Extract<Action, { kind: 'roll' }>): void {
    this.#view.rollouts[service] = { record, version: 0 };
    const { declared } = this.#view;
    if (!redeclare || !declared) return;
    const { environment } = declared.record;
    const services = environment.services.map((one) => (one.name === service ? redeclare : one));
    const next = {
      ...declared.record,
      generation: declared.record.generation + 1,
      environment: { ...environment, services },
    };
    this.#view.declared = { record: next, version: 0 };
  }

  #serviceNow(name: string): Service | undefined {
    return this.snapshot().desired?.record.environment.services.find((one) => one.name === name);
  }

  #templates(): Record<string, TemplateState> {
    const known = this.#view.pool?.record?.templates ?? [];
    return Object.fromEntries(
      known.flatMap(({ template, state, reason }) => (state === 'impossible' ? [] : [[template, { state, reason }]])),
    );
  }

  #tell(machine: ObservedMachine, want: 'drain' | 'stop'): void {
    const { assignment } = machine;
    if (!assignment) return;
    this.#machines.set(machine.record.uuid, {
      ...machine,
      assignment: { ...assignment, record: { ...assignment.record, want } },
    });
  }

  #set(machine: ObservedMachine, changes: Partial<ObservedMachine['record']>): void {
    const changedAt = changes.state ? this.#wallClock : machine.record.changedAt;
    this.#machines.set(machine.record.uuid, { ...machine, record: { ...machine.record, changedAt, ...changes } });
  }

  #list(uuid: string, state: ProviderMachine['state']): void {
    const listed = this.#listed.get(uuid);
    if (listed) this.#listed.set(uuid, { ...listed, state });
  }

  #unregister(uuid: string): void {
    this.#view.registrations = this.#view.registrations.filter(({ record }) => record.machine !== uuid);
  }

  #after(ms: number, happen: () => void): void {
    this.#events.push({ at: this.now + ms, happen });
  }

  #tookFor(what: keyof Measures, names: readonly string[]): number {
    const known = names.map((name): Measure | undefined => this.#measures[what][name]).find((one) => one !== undefined);
    if (known) return known.ms;
    this.unmeasured.add(`${what === 'warm' ? 'warm start' : what} of ${names[0]}`);
    return unmeasuredMs;
  }
}

function agentOf(machine: ObservedMachine, phase: 'serving' | 'stopped', at: number): ObservedMachine['agent'] {
  return machine.agent && { ...machine.agent, phase, reason: '', at };
}
