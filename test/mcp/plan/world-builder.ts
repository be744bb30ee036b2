/** Snapshots for tests, a few words each. */

import type { PlanInput } from '../../../mcp/plan/draft.ts';
import { makePlan } from '../../../mcp/plan/make-plan.ts';
import { freshMemory, type PlannerMemory } from '../../../mcp/plan/memory.ts';
import type { Action, Plan } from '../../../mcp/plan/plan.ts';
import { defaultPolicy, type Policy } from '../../../mcp/plan/policy.ts';
import { remember } from '../../../mcp/plan/remember.ts';
import type { Snapshot } from '../../../mcp/plan/snapshot.ts';
import type { AgentPhase, MachineState, SelfTestRecord } from '../../../registrar/records.ts';
import type { PoolSpec, Service, Version } from '../../../specs/nouns.ts';
import type { ProviderMachineState } from '../../../vm-factory/provider.ts';
import { selfTest } from '../../helpers/self-test.ts';

export const startAt = 1_700_000_000_000;

const operatorWord = { by: 'operator:ann', reason: 'test', at: startAt };

export function version(name: string, count: number, digest = `digest-${name}`): Version {
  return {
    version: name,
    count,
    command: ['serve'],
    port: 8080,
    env: {},
    health: { kind: 'tcp', intervalMs: 1000, timeoutMs: 500, rise: 1, fall: 3 },
    digest,
  };
}

export function service(name: string, versions: Version[]): Service {
  return {
    name,
    route: `/${name}`,
    config: {},
    onConfigChange: 'restart',
    drainTimeoutMs: 30_000,
    stopTimeoutMs: 10_000,
    versions,
  };
}

/** What a machine of the world is; what is not said is as it is on a machine that does well. */
export interface MachineWords {
  state?: MachineState;
  service?: string;
  version?: Version;
  served?: boolean;
  /** Its registration; absent for none. */
  registered?: 'up' | 'draining';
  mzxid?: number;
  /** null: no agent. */
  phase?: AgentPhase | null;
  reason?: string;
  starts?: number;
  ended?: string;
  /** null: the provider does not list it. */
  provider?: ProviderMachineState | null;
  claimedAt?: number;
  assigned?: boolean;
  selfTest?: SelfTestRecord;
  image?: string;
  createdAt?: number;
  protected?: boolean;
  toLeave?: boolean;
  zone?: string;
  port?: number;
  /** Service template that it was asked to be cloned from. */
  template?: string;
  /** The one whose service waits in it, by its agent's word. */
  holds?: string;
}

/** A world that is changed step by step; `snapshot()` is a copy. */
export class WorldBuilder {
  readonly #snapshot: Snapshot = {
    asOf: 100,
    at: startAt,
    clusterId: 'test',
    epoch: 1,
    desired: null,
    suspended: { record: { suspended: false, reason: '', by: '', at: 0 }, version: 0 },
    machines: [],
    registrations: [],
    rejected: [],
    gateways: [],
    configs: {},
    budgets: {},
    declared: null,
    rollouts: {},
    pool: null,
    provider: [],
    limits: null,
  };

  readonly #known = new Set<string>();

  declare(
    services: Service[],
    options: { pool?: number | Partial<PoolSpec>; generation?: number; allowance?: Record<string, number> } = {},
  ): this {
    const generation = options.generation ?? (this.#snapshot.desired?.record.generation ?? 0) + 1;
    const environment = {
      name: 'test',
      pool: {
        size: 0,
        image: 'process',
        ...(typeof options.pool === 'number' ? { size: options.pool } : options.pool),
      },
      gateway: { title: 'test', description: '' },
      services,
    };
    const record = {
      generation,
      author: 'test',
      reason: '',
      at: 0,
      digest: '',
      allowance: options.allowance ?? {},
      environment,
    };
    this.#snapshot.desired = { record, version: generation };
    this.#snapshot.declared = this.#snapshot.desired;
    for (const { name, config } of services) {
      this.#snapshot.configs[name] = { record: { service: name, generation, values: config }, version: 0 };
    }
    return this;
  }

  machine(uuid: string, words: MachineWords = {}): this {
    if (this.#known.has(uuid)) this.remove(uuid);
    this.#known.add(uuid);
    const state = words.state ?? (words.service ? 'claimed' : 'ready');
    const run = words.version ?? version('1.0.0', 1);
    const claim = words.service
      ? {
          service: words.service,
          version: run.version,
          digest: run.digest,
          operation: `claim-${uuid}`,
          at: words.claimedAt ?? 0,
        }
      : undefined;
    const want = state === 'draining' ? 'drain' : state === 'deleting' ? 'stop' : 'run';
    this.#snapshot.machines.push({
      record: {
        uuid,
        provider: 'fake',
        providerId: `p-${uuid}`,
        image: words.image ?? 'process',
        state,
        operation: `create-${uuid}`,
        epoch: 1,
        address: '127.0.0.1',
        createdAt: words.createdAt ?? startAt,
        changedAt: 0,
        ...(words.template === undefined ? {} : { template: words.template }),
        ...(claim ? { claim } : {}),
        ...(words.served ? { served: true } : {}),
        ...(words.protected ? { protected: operatorWord } : {}),
        ...(words.toLeave ? { toLeave: operatorWord } : {}),
        ...(state === 'deleting' ? { tombstone: { reason: 'test', operation: 'x', at: 0 } } : {}),
      },
      version: 0,
      assignment:
        claim && words.assigned !== false
          ? {
              record: {
                service: claim.service,
                version: run,
                onConfigChange: 'restart',
                drainTimeoutMs: 30_000,
                stopTimeoutMs: 10_000,
                want,
                operation: claim.operation,
                epoch: 1,
              },
              version: 0,
            }
          : null,
      agent:
        words.phase === null
          ? null
          : {
              machine: uuid,
              phase: words.phase ?? (words.registered ? 'serving' : 'idle'),
              reason: words.reason ?? '',
              at: 0,
              starts: words.starts ?? 1,
              ...(words.ended === undefined ? {} : { ended: words.ended }),
              selfTest: words.selfTest ?? selfTest(),
              ...(words.holds === undefined ? {} : { template: words.holds }),
            },
    });
    if (words.registered && words.service) {
      const { registered, mzxid, zone, port } = words;
      this.register(uuid, words.service, run, { state: registered, mzxid, zone, port });
    }
    if (words.provider !== null) this.list(uuid, words.provider ?? 'running');
    return this;
  }

  /** An instance that serves. */
  serving(uuid: string, name: string, run: Version, words: MachineWords = {}): this {
    return this.machine(uuid, { service: name, version: run, registered: 'up', served: true, ...words });
  }

  register(
    machine: string,
    name: string,
    run: Version,
    options: { state?: 'up' | 'draining'; mzxid?: number; zone?: string; port?: number } = {},
  ): this {
    this.#snapshot.registrations.push({
      record: {
        schema: 1,
        service: name,
        version: run.version,
        machine,
        address: '127.0.0.1',
        port: options.port ?? 8080,
        state: options.state ?? 'up',
        ...(options.zone === undefined ? {} : { zone: options.zone }),
        digest: run.digest,
        at: 0,
      },
      mzxid: options.mzxid ?? 50,
    });
    return this;
  }

  list(uuid: string, state: ProviderMachineState): this {
    this.#snapshot.provider.push({
      uuid,
      providerId: `p-${uuid}`,
      operation: `create-${uuid}`,
      image: 'process',
      state,
      address: '127.0.0.1',
      createdAt: 0,
    });
    return this;
  }

  gateway(id: string, drainedAsOf: number, rejected: { path: string; reason: string }[] = []): this {
    const mark = { generation: 1, asOf: drainedAsOf };
    this.#snapshot.gateways = this.#snapshot.gateways.filter((gateway) => gateway.id !== id);
    this.#snapshot.gateways.push({
      id,
      url: '',
      pid: 1,
      mode: 'plain',
      served: mark,
      drained: mark,
      routes: 0,
      instances: 0,
      holding: '',
      rejected,
      at: 0,
    });
    return this;
  }

  remove(uuid: string): this {
    const snapshot = this.#snapshot;
    snapshot.machines = snapshot.machines.filter(({ record }) => record.uuid !== uuid);
    snapshot.registrations = snapshot.registrations.filter(({ record }) => record.machine !== uuid);
    snapshot.provider = snapshot.provider.filter((machine) => machine.uuid !== uuid);
    return this;
  }

  set(changes: Partial<Snapshot>): this {
    Object.assign(this.#snapshot, changes);
    return this;
  }

  suspend(reason: string): this {
    return this.set({ suspended: { record: { suspended: true, reason, by: 'tester', at: 0 }, version: 1 } });
  }

  snapshot(): Snapshot {
    return structuredClone(this.#snapshot);
  }
}

/** A leader in its own time: looks at worlds and plans, remembering in between. */
export class TestLeader {
  now = 0;
  #wall = startAt;
  memory: PlannerMemory;
  readonly policy: Policy;
  #ids = 0;

  /** `quiet`: starts with its quiet window over unless true. */
  constructor(options: { quiet?: boolean; policy?: Partial<Policy> } = {}) {
    this.policy = { ...defaultPolicy, ...options.policy };
    this.memory = { ...freshMemory({ clusterId: 'test', now: 0 }), quietOver: options.quiet !== true };
  }

  /** The wall clock is set forward, or back where negative. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** Takes the world in and plans, `later` ms after the last time. */
  plan(world: WorldBuilder, later = 0, input: Pick<PlanInput, 'inFlight'> = {}): Plan {
    this.now += later;
    const snapshot = { ...world.snapshot(), at: this.#wall + this.now };
    this.memory = remember(this.memory, snapshot, this.policy, this.now);
    return makePlan(snapshot, this.memory, this.policy, { now: this.now, newId: () => `id-${++this.#ids}`, ...input });
  }
}

/** `claim m1`, `drain m2` ... in the plan's order; of the given kinds only, if any are given. */
export function acts(plan: Plan, ...kinds: Action['kind'][]): string[] {
  return plan.actions
    .filter(({ kind }) => kinds.length === 0 || kinds.includes(kind))
    .map((action) => `${action.kind} ${'uuid' in action ? action.uuid : action.service}`);
}
