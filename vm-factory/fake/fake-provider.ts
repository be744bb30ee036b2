/**
 * A cloud in memory that keeps the provider's contract and fails by script: replies lost, late arrivals, failing lists,
 * machines that die, stay or can't be told. Deterministic: it knows no time but the injected clock's and no chance.
 *
 * Beside the port it has the god's view that tests and oracles need: `truth`, `calls`, and acts such as `kill`.
 */
import type { Clock } from '../../registrar/clock.ts';
import type { CreateMachine, MachineProvider, ProviderCapabilities, ProviderMachine } from '../provider.ts';
import { refused, unavailable, unknownOutcome } from '../provider-errors.ts';
import { type EventDelivery, FaultQueue, type ProviderCall, type ProviderFault } from './faults.ts';
import { Schedule } from './schedule.ts';

export interface FakeProviderOptions {
  clock: Clock;
  clusterId: string;
  /** ms from create to `running`; 0, the default: at once. */
  bootMs?: number;
  /** ms from an accepted destroy (the machine is `stopped` then) until it is gone; 0, the default: at once. */
  destroyMs?: number;
  /** Quota; absent: none. */
  maxMachines?: number;
  /** Images that there are; absent: any. */
  images?: readonly string[];
  /** Address of the n-th machine made, from 0. By default all differ. */
  address?: (index: number) => string;
}

/** A call as it came in, before any fault struck it. */
export interface RecordedCall {
  /** ms of the clock's monotonic time. */
  at: number;
  call: ProviderCall;
  uuid?: string;
  operation?: string;
}

export type FakeChange = ProviderMachine['state'] | 'gone';

export class FakeProvider implements MachineProvider {
  readonly name = 'fake';
  readonly capabilities: ProviderCapabilities = {
    pause: false,
    console: false,
    zones: false,
    snapshot: false,
    sharedHost: false,
  };
  /** All calls so far, oldest first. */
  readonly calls: RecordedCall[] = [];
  /** How hints are delivered from now on. */
  eventDelivery: EventDelivery = 'once';

  readonly #options: FakeProviderOptions;
  readonly #faults = new FaultQueue();
  readonly #schedule: Schedule;
  readonly #machines = new Map<string, ProviderMachine>();
  readonly #hidden = new Set<string>();
  readonly #hintListeners = new Set<(uuid: string) => void>();
  readonly #changeListeners = new Set<(machine: ProviderMachine, change: FakeChange) => void>();
  #made = 0;

  constructor(options: FakeProviderOptions) {
    this.#options = options;
    this.#schedule = new Schedule(options.clock);
  }

  async create(request: CreateMachine, signal?: AbortSignal): Promise<ProviderMachine> {
    const fault = this.#enter('create', { uuid: request.uuid, operation: request.operation }, signal);
    if (fault?.kind === 'refused') throw refused(fault.reason ?? 'scripted: the quota is used up');
    if (fault?.kind === 'request-lost') throw unknownOutcome('scripted: the request was lost');
    if (fault?.kind === 'reply-lost') {
      this.#schedule.after(fault.landsAfterMs ?? 0, () => this.#landLate(request));
      throw unknownOutcome('scripted: the reply was lost');
    }
    await this.#delay(fault, signal);
    const machine = this.#make(request, fault?.kind);
    const answer = { ...machine };
    await this.#answerLate(fault, signal);
    return answer;
  }

  async find(operation: string, signal?: AbortSignal): Promise<ProviderMachine | null> {
    const fault = this.#enter('find', { operation }, signal);
    await this.#delay(fault, signal);
    const machine = this.#byOperation(operation);
    const answer = machine ? this.#shown(machine) : null;
    await this.#answerLate(fault, signal);
    return answer;
  }

  async list(signal?: AbortSignal): Promise<ProviderMachine[]> {
    const fault = this.#enter('list', {}, signal);
    await this.#delay(fault, signal);
    const answer = this.truth().map((machine) => this.#shown(machine));
    await this.#answerLate(fault, signal);
    return answer;
  }

  async destroy(machine: { uuid: string; providerId: string }, signal?: AbortSignal): Promise<void> {
    const fault = this.#enter('destroy', { uuid: machine.uuid }, signal);
    if (fault?.kind === 'request-lost') throw unknownOutcome('scripted: the request was lost');
    await this.#delay(fault, signal);
    if (machine.providerId !== providerIdOf(machine.uuid)) {
      throw refused(`machine ${machine.uuid} is not ${machine.providerId}`, { details: { ...machine } });
    }
    if (fault?.kind === 'reply-lost') {
      this.#schedule.after(fault.landsAfterMs ?? 0, () => this.#startDestroy(machine.uuid));
      throw unknownOutcome('scripted: the reply was lost');
    }
    if (fault?.kind !== 'no-effect') this.#startDestroy(machine.uuid);
    await this.#answerLate(fault, signal);
  }

  events(listener: (uuid: string) => void): () => void {
    // Wrapped, so that one function subscribed twice is two subscriptions.
    const own = (uuid: string) => listener(uuid);
    this.#hintListeners.add(own);
    return () => void this.#hintListeners.delete(own);
  }

  async limits(signal?: AbortSignal): Promise<{ machines: { limit: number; used: number } } | null> {
    const fault = this.#enter('limits', {}, signal);
    await this.#delay(fault, signal);
    const limit = this.#options.maxMachines;
    const answer = limit === undefined ? null : { machines: { limit, used: this.#machines.size } };
    await this.#answerLate(fault, signal);
    return answer;
  }

  async close(): Promise<void> {
    this.#schedule.close();
    this.#hintListeners.clear();
    this.#changeListeners.clear();
  }

  /** The next `times` calls of the fault's kind are struck by it; Infinity until `heal`. */
  inject(fault: ProviderFault, times = 1): void {
    this.#faults.inject(fault, times);
  }

  /** Ends all injected faults, shows what was hidden, delivers hints again. What was done wrong so far stays. */
  heal(): void {
    this.#faults.clear();
    this.#hidden.clear();
    this.eventDelivery = 'once';
  }

  /** All machines as they really are, sorted by uuid. */
  truth(): ProviderMachine[] {
    this.#schedule.catchUp();
    return [...this.#machines.values()].map((machine) => ({ ...machine })).sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  }

  /** Called on every real change of a machine, whatever becomes of the hints; returns the unsubscriber. */
  onChange(listener: (machine: ProviderMachine, change: FakeChange) => void): () => void {
    this.#changeListeners.add(listener);
    return () => void this.#changeListeners.delete(listener);
  }

  /** The machine dies but is still listed, as `stopped` or `error`. */
  kill(uuid: string, state: 'stopped' | 'error' = 'stopped'): void {
    this.#setState(uuid, state);
  }

  /** A dead machine runs again (a VM that was paused and is back). */
  revive(uuid: string): void {
    this.#setState(uuid, 'running');
  }

  /** Somebody deletes it by hand. */
  remove(uuid: string): void {
    const machine = this.#machines.get(uuid);
    if (!machine) return;
    this.#machines.delete(uuid);
    this.#hidden.delete(uuid);
    this.#changed(machine, 'gone');
  }

  /** From now on the provider can't tell this machine's state (a cell that is down), or can again. */
  hide(uuid: string, hidden = true): void {
    if (hidden) this.#hidden.add(uuid);
    else this.#hidden.delete(uuid);
  }

  /** A hint out of nowhere; hints may be late, doubled or about nothing. */
  hint(uuid: string): void {
    const times = { once: 1, lost: 0, doubled: 2 }[this.eventDelivery];
    for (let sent = 0; sent < times; sent += 1) {
      for (const listener of [...this.#hintListeners]) listener(uuid);
    }
  }

  #enter(call: ProviderCall, about: { uuid?: string; operation?: string }, signal?: AbortSignal) {
    signal?.throwIfAborted();
    this.#schedule.catchUp();
    this.calls.push({ at: this.#options.clock.monotonic(), call, ...about });
    const fault = this.#faults.take(call);
    if (fault?.kind === 'unavailable') throw unavailable(`scripted: ${call} is not available`);
    return fault;
  }

  /** Before anything is done. */
  async #delay(fault: ProviderFault | null, signal?: AbortSignal): Promise<void> {
    if (fault?.kind !== 'hang') return;
    await new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** After all was done. */
  async #answerLate(fault: ProviderFault | null, signal?: AbortSignal): Promise<void> {
    if (fault?.kind === 'slow') await this.#options.clock.sleep(fault.ms, signal);
  }

  #byOperation(operation: string): ProviderMachine | undefined {
    return [...this.#machines.values()].find((machine) => machine.operation === operation);
  }

  #shown(machine: ProviderMachine): ProviderMachine {
    const { address, ...rest } = machine;
    if (this.#hidden.has(machine.uuid)) return { ...rest, state: 'unknown' };
    return address === undefined ? rest : { ...rest, address };
  }

  #landLate(request: CreateMachine): void {
    try {
      this.#make(request);
    } catch {
      // Refused when it landed: nobody waits for the answer.
    }
  }

  #make(request: CreateMachine, fate?: ProviderFault['kind']): ProviderMachine {
    const existing = this.#byOperation(request.operation);
    if (existing) return existing;
    this.#check(request);
    const index = this.#made;
    this.#made += 1;
    const machine: ProviderMachine = {
      uuid: request.uuid,
      providerId: providerIdOf(request.uuid),
      operation: request.operation,
      image: request.image,
      state: 'building',
      createdAt: this.#options.clock.now(),
    };
    this.#machines.set(machine.uuid, machine);
    this.#changed(machine, 'building');
    if (fate !== 'never-runs') {
      this.#schedule.after(this.#options.bootMs ?? 0, () => this.#boot(machine.uuid, index, fate === 'turns-error'));
    }
    return machine;
  }

  #check(request: CreateMachine): void {
    const { clusterId, images, maxMachines } = this.#options;
    if (request.clusterId !== clusterId) throw refused(`this provider serves ${clusterId}, not ${request.clusterId}`);
    if (this.#machines.has(request.uuid)) throw refused(`machine ${request.uuid} was made by another operation`);
    if (images && !images.includes(request.image)) throw refused(`there is no image ${request.image}`);
    if (maxMachines !== undefined && this.#machines.size >= maxMachines) {
      throw refused(`the quota of ${maxMachines} machines is used up`);
    }
  }

  #boot(uuid: string, index: number, fails: boolean): void {
    const machine = this.#machines.get(uuid);
    if (machine?.state !== 'building') return;
    if (!fails) machine.address = (this.#options.address ?? defaultAddress)(index);
    this.#setState(uuid, fails ? 'error' : 'running');
  }

  #startDestroy(uuid: string): void {
    if (!this.#machines.has(uuid)) return;
    const delay = this.#options.destroyMs ?? 0;
    if (delay > 0) this.#setState(uuid, 'stopped');
    this.#schedule.after(delay, () => this.remove(uuid));
  }

  #setState(uuid: string, state: ProviderMachine['state']): void {
    const machine = this.#machines.get(uuid);
    if (!machine || machine.state === state) return;
    machine.state = state;
    this.#changed(machine, state);
  }

  #changed(machine: ProviderMachine, change: FakeChange): void {
    for (const listener of [...this.#changeListeners]) listener({ ...machine }, change);
    this.hint(machine.uuid);
  }
}

function providerIdOf(uuid: string): string {
  return `fake-${uuid}`;
}

function defaultAddress(index: number): string {
  return `127.90.${Math.floor(index / 250)}.${(index % 250) + 1}`;
}
