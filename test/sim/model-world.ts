/** What is outside the controllers: machines with their agents, and a gateway that acknowledges. */
import { paths } from '../../registrar/layout.ts';
import type { GatewayRecord, SelfTestRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { codecs, encode } from '../../registrar/store/codecs.ts';
import type { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { FakeProvider } from '../../vm-factory/fake/fake-provider.ts';
import { selfTest } from '../helpers/self-test.ts';
import { ModelAgent } from './model-agent.ts';
import type { Random } from './random.ts';

/** ms after which the registry ends the session of a client that is gone. */
export const sessionMs = 10_000;

interface Ending {
  at: number;
  client: RegistryClient;
}

export class ModelWorld {
  readonly registry: FakeRegistry;
  readonly provider: FakeProvider;
  readonly #random: Random;
  readonly #now: () => number;
  readonly agents = new Map<string, ModelAgent>();
  #endings: Ending[] = [];
  /** Share of new machines whose self-test fails. */
  badShare = 0;
  #gateway: RegistryClient | null = null;
  #acknowledged = 0;

  constructor(registry: FakeRegistry, provider: FakeProvider, random: Random, now: () => number) {
    this.registry = registry;
    this.provider = provider;
    this.#random = random;
    this.#now = now;
  }

  async step(): Promise<void> {
    this.#endSessions();
    if (!this.registry.up) return;
    await this.#followMachines();
    for (const agent of this.agents.values()) await agent.step(this.#now(), this.#random.int(200, 4_000));
    await this.#acknowledge();
  }

  /** Its session ends some time from now, as that of a process that was killed. */
  abandon(client: RegistryClient): void {
    this.registry.suspend(client);
    this.#endings.push({ at: this.#now() + sessionMs, client });
  }

  /** The agent is cut off for longer than its session, then comes back with a new one. */
  loseSession(agent: ModelAgent): void {
    if (agent.client?.state === 'connected') this.registry.expire(agent.client);
  }

  #endSessions(): void {
    const due = this.#endings.filter(({ at }) => at <= this.#now());
    this.#endings = this.#endings.filter(({ at }) => at > this.#now());
    for (const { client } of due) this.registry.expire(client);
  }

  async #followMachines(): Promise<void> {
    const running = new Map(this.provider.truth().flatMap((one) => (one.state === 'running' ? [[one.uuid, one]] : [])));
    for (const [uuid, agent] of this.agents) {
      if (running.has(uuid)) continue;
      this.agents.delete(uuid);
      if (agent.client) this.abandon(agent.client);
    }
    for (const { uuid, address = '' } of running.values()) {
      const agent = this.agents.get(uuid) ?? new ModelAgent(uuid, address, this.#selfTest());
      this.agents.set(uuid, agent);
      const over = agent.client === null || agent.client.state === 'expired';
      // One that lost its session is away for a while before it is back.
      if (over && (agent.client === null || this.#random.chance(0.05))) agent.join(await this.registry.connect());
    }
  }

  /** Some machines are bad from the start, while there are faults. */
  #selfTest(): SelfTestRecord {
    const isBad = this.badShare > 0 && this.#random.chance(this.badShare);
    return selfTest(isBad ? { 'disk-content': 1 } : {});
  }

  async #acknowledge(): Promise<void> {
    try {
      if (this.#gateway?.state !== 'connected') {
        this.#gateway = await this.registry.connect();
        await this.#gateway.create(paths.gateway('g1'), encode(codecs.gateway, this.#record()), { mode: 'ephemeral' });
      }
      if (this.#random.chance(0.5)) return;
      this.#acknowledged = this.registry.zxid;
      await this.#gateway.set(paths.gateway('g1'), encode(codecs.gateway, this.#record()));
    } catch (error) {
      if (!isMcpError(error)) throw error;
    }
  }

  #record(): GatewayRecord {
    const mark = { generation: 1, asOf: this.#acknowledged };
    return {
      id: 'g1',
      url: '',
      pid: 1,
      mode: 'plain',
      served: mark,
      drained: mark,
      routes: 0,
      instances: 0,
      holding: '',
      rejected: [],
      at: this.#now(),
    };
  }
}
