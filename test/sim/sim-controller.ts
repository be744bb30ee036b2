/** One controller process of a simulation: the real one, over wires that can be cut and that bugs can be planted in. */
import { type ControllerOptions, runController } from '../../mcp/control/controller.ts';
import type { ControllerLog } from '../../mcp/control/lead-term.ts';
import { defaultPolicy } from '../../mcp/plan/policy.ts';
import type { Clock } from '../../registrar/clock.ts';
import { paths } from '../../registrar/layout.ts';
import type { MultiOp, MultiResult, RegistryClient } from '../../registrar/registry-client.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import type { ModelWorld } from './model-world.ts';
import type { Oracle } from './oracle.ts';
import type { Random } from './random.ts';

/** Faults put into the controllers on purpose: the oracle must find each. */
export type PlantedBug =
  | 'no-epoch-check'
  | 'no-budget'
  | 'destroy-without-tombstone'
  | 'claim-twice'
  | 'no-verification';

export interface SimControllerOptions {
  id: string;
  clock: Clock;
  world: ModelWorld;
  oracle: Oracle;
  random: Random;
  clusterId: string;
  bug: PlantedBug | null;
  trace: (line: string) => void;
  /** Called at each failpoint; what it returns is waited for. */
  onFailpoint: (name: string, controller: SimController) => Promise<void> | undefined;
}

const nothingChanged = {
  at: 0,
  verdict: 'safe' as const,
  words: 'nothing changed for callers',
  findings: [],
  leftOut: 0,
};

export class SimController {
  readonly id: string;
  readonly #options: SimControllerOptions;
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  #client: RegistryClient | null = null;
  #deaf = false;
  #held: (() => void)[] = [];
  #epoch = 0;
  readonly #compared = new Set<string>();
  /** Set by whoever wants it to stop dead at its next failpoint. */
  pauseNext: (() => Promise<void>) | null = null;

  constructor(options: SimControllerOptions) {
    this.id = options.id;
    this.#options = options;
    this.#done = runController(this.#controllerOptions()).catch((error) => {
      options.trace(`${options.id} crashed: ${String(error)}`);
    });
  }

  get client(): RegistryClient | null {
    return this.#client;
  }

  /** kill -9: nothing it had under way goes on; its session ends when it times out. */
  kill(): void {
    if (this.#client) this.#options.world.abandon(this.#client);
    this.hear();
    this.#end.abort(new Error('killed'));
  }

  /** An orderly end. */
  async stop(): Promise<void> {
    this.hear();
    this.#end.abort(new Error('stopped'));
    await this.#done;
  }

  /** It hears of nothing: no watch, no state. What it sends arrives. */
  deafen(): void {
    this.#deaf = true;
  }

  hear(): void {
    this.#deaf = false;
    const held = this.#held;
    this.#held = [];
    for (const notice of held) notice();
  }

  #controllerOptions(): ControllerOptions {
    const { id, clock, world, oracle, random, clusterId, trace } = this.#options;
    return {
      connect: async (options) => this.#wire(await world.registry.connect(options)),
      provider: this.#cloud(world.provider),
      clock,
      id,
      clusterId,
      log: this.#log(),
      policy: defaultPolicy,
      registry: 'sim',
      allowLoopback: true,
      newId: () => random.uuid(),
      // Each controller finds out anew, and not at its first look.
      lookAtDocuments: (_snapshot, rollouts) =>
        new Map(
          rollouts.map(({ service, operation }) => {
            const known = this.#compared.has(operation);
            this.#compared.add(operation);
            return [service, known ? { found: nothingChanged } : { waits: 'the documents are compared' }];
          }),
        ),
      signal: this.#end.signal,
      failpoint: async (name) => {
        const pause = this.pauseNext;
        this.pauseNext = null;
        await pause?.();
        await this.#options.onFailpoint(name, this);
      },
      onPlan: (plan) => {
        this.#epoch = plan.epoch;
        oracle.creationsPlanned(plan.epoch, plan.actions.filter(({ kind }) => kind === 'create').length);
      },
      onSweep: (_plan, outcomes) => {
        for (const { action, result } of outcomes) {
          const what = 'uuid' in action ? action.uuid.slice(0, 8) : action.service;
          trace(`${id} ${action.kind} ${what} ${result}: ${action.reason}`);
        }
      },
    };
  }

  #log(): ControllerLog {
    const { id, trace } = this.#options;
    const say = (facts: object, message: string) => {
      if (!('kind' in facts)) trace(`${id} says ${message}`);
    };
    return { info: say, warn: say, error: say };
  }

  /** The client, with ears that can be closed and with the planted bug. */
  #wire(client: RegistryClient): RegistryClient {
    this.#client = client;
    const hold = (notice: () => void) => (this.#deaf ? void this.#held.push(notice) : notice());
    return new Proxy(client, {
      get: (target, name) => {
        if (name === 'multi') return (ops: MultiOp[], options?: object) => this.#multi(target, ops, options);
        if (name === 'onState') {
          return (listener: (state: string) => void) => target.onState((state) => hold(() => listener(state)));
        }
        if (name === 'get' && this.#options.bug === 'no-verification') return readsNoFault(target);
        if (name === 'get' || name === 'exists') return this.#reader(target, name, hold);
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  #reader(client: RegistryClient, name: 'get' | 'exists', hold: (notice: () => void) => void) {
    return (path: string, options: Parameters<RegistryClient['get']>[1] = {}) => {
      const { watch } = options;
      const own = watch
        ? { ...options, watch: (event: Parameters<typeof watch>[0]) => hold(() => watch(event)) }
        : options;
      return client[name](path, own);
    };
  }

  async #multi(client: RegistryClient, ops: MultiOp[], options?: object): Promise<MultiResult[]> {
    const { bug, random } = this.#options;
    if (bug === 'no-epoch-check' && ops[0]?.path === paths.epoch && ops[0].op === 'check') {
      return [{ op: 'check' }, ...(await client.multi(ops.slice(1), options))];
    }
    if (bug === 'no-budget') return client.multi(ops.map(emptyBudget), options);
    const results = await client.multi(ops, options);
    if (bug === 'claim-twice' && ops.some(isClaim))
      await client.multi(ops.filter(isMachineWrite).map((op) => again(op, random)));
    return results;
  }

  /** The provider, with every call told to the oracle first. */
  #cloud(provider: ModelWorld['provider']): MachineProvider {
    const { oracle, bug, world } = this.#options;
    return {
      name: provider.name,
      capabilities: provider.capabilities,
      create: (request, signal) => {
        oracle.calls('create', request.uuid, this.#epoch);
        return provider.create(request, signal);
      },
      destroy: async (machine, signal) => {
        oracle.calls('destroy', machine.uuid, this.#epoch);
        const [bystander] = world.agents.keys();
        if (bug === 'destroy-without-tombstone' && bystander !== undefined) {
          oracle.calls('destroy', bystander, this.#epoch);
        }
        return provider.destroy(machine, signal);
      },
      find: (operation, signal) => provider.find(operation, signal),
      list: (signal) => provider.list(signal),
      limits: (signal) => provider.limits(signal),
      events: (listener) => provider.events(listener),
      close: async () => {},
    };
  }
}

/** Reads every machine's self-test as if it had passed. */
function readsNoFault(client: RegistryClient): RegistryClient['get'] {
  return async (path, options) => {
    const found = await client.get(path, options);
    if (!path.endsWith('/agent')) return found;
    return { ...found, data: Buffer.from(found.data.toString().replace('"faults","value":1', '"faults","value":0')) };
  };
}

function emptyBudget(op: MultiOp): MultiOp {
  if (!op.path.startsWith('/budget/') || !('data' in op)) return op;
  return { ...op, data: JSON.stringify({ destroyed: [], generation: 1, used: 0 }) };
}

function isClaim(op: MultiOp): boolean {
  return op.op === 'create' && op.path.endsWith('/assignment');
}

function isMachineWrite(op: MultiOp): boolean {
  return op.path.startsWith('/machines/') && op.op !== 'check';
}

/** The same write once more for another operation, without looking at what is there. */
function again(op: MultiOp, random: Random): MultiOp {
  if (op.op !== 'set' && op.op !== 'create') return op;
  const record = JSON.parse(String(op.data)) as { operation: string };
  const data = isClaim(op) ? JSON.stringify({ ...record, operation: random.uuid() }) : String(op.data);
  return { op: 'set', path: op.path, data };
}
