/** The people of a simulation: they declare, scale, upgrade (sometimes to what cannot start), put the brake on and take it off. */
import type { Clock } from '../../registrar/clock.ts';
import { publishDesired } from '../../registrar/recipes/desired-document.ts';
import { resume, suspend } from '../../registrar/recipes/suspension.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import { allowanceFor } from '../../specs/compare-environments.ts';
import type { Environment, Service, Version } from '../../specs/nouns.ts';
import { brokenMark } from './model-agent.ts';
import type { Random } from './random.ts';

const by = 'operator:sim';

export class ModelOperator {
  readonly client: RegistryClient;
  environment: Environment;
  readonly #registry: FakeRegistry;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #say: (line: string) => void;

  constructor(
    registry: FakeRegistry,
    client: RegistryClient,
    clock: Clock,
    random: Random,
    say: (line: string) => void,
  ) {
    this.#registry = registry;
    this.client = client;
    this.#clock = clock;
    this.#random = random;
    this.#say = say;
    this.environment = {
      name: 'sim',
      pool: { size: 2, image: 'process' },
      gateway: { title: '', description: '' },
      services: [service('dns', [this.#version('1.0.0', 4)]), service('web', [this.#version('1.0.0', 2)])],
    };
  }

  /** `givesUp`: the instances lost by the change are given up explicitly, as `mcp apply` does. */
  async declare(services: Service[], givesUp: boolean): Promise<void> {
    if (!this.#registry.up) return;
    const next = { ...this.environment, services };
    const allowance = givesUp ? allowanceFor(this.environment, next) : {};
    this.environment = next;
    const words = { author: by, reason: 'simulated', at: this.#clock.now() };
    await publishDesired(this.client, { environment: next, allowance, ...words });
    const counts = ({ name, versions }: Service) => `${name}:${versions.map((one) => `${one.version}=${one.count}`)}`;
    this.#say(`declared ${services.map(counts)}`);
  }

  async scale(count: () => number, givesUp: boolean): Promise<void> {
    const scaled = (version: Version) => ({ ...version, count: count() });
    await this.declare(
      this.environment.services.map((one) => ({ ...one, versions: one.versions.map(scaled) })),
      givesUp,
    );
  }

  /** Some services get a new version, which may be one that cannot start. */
  async upgrade(): Promise<void> {
    const services = this.environment.services.map((one) => {
      if (!this.#random.chance(0.5)) return one;
      const count = one.versions.reduce((sum, version) => sum + version.count, 0);
      const version = this.#version(`${this.#random.int(1, 9)}.0.0`, count, this.#random.chance(0.3));
      return { ...one, versions: [version] };
    });
    await this.declare(services, this.#random.chance(0.5));
  }

  async changeImage(): Promise<void> {
    const image = `process-${this.#random.int(1, 9)}`;
    this.environment = { ...this.environment, pool: { ...this.environment.pool, image } };
    await this.declare(this.environment.services, true);
    this.#say(`image ${image}`);
  }

  /** What cannot start is taken back. */
  async withdrawBroken(): Promise<void> {
    const sound = (one: Service) => ({ ...one, versions: one.versions.filter(({ env }) => !env[brokenMark]) });
    await this.declare(
      this.environment.services.map(sound).filter(({ versions }) => versions.length > 0),
      true,
    );
  }

  async suspend(): Promise<void> {
    if (this.#registry.up) await suspend(this.client, { reason: 'test', by, at: this.#clock.now() });
  }

  async resume(): Promise<void> {
    if (this.#registry.up) await resume(this.client, { reason: 'test', by, at: this.#clock.now() });
  }

  #version(name: string, count: number, broken = false): Version {
    return {
      version: name,
      count,
      command: ['serve'],
      port: 8080,
      env: broken ? { [brokenMark]: 'yes' } : {},
      health: { kind: 'tcp', intervalMs: 1_000, timeoutMs: 500, rise: 1, fall: 3 },
      digest: this.#random.hex(64),
    };
  }
}

function service(name: string, versions: Version[]): Service {
  const timeouts = { drainTimeoutMs: 10_000, stopTimeoutMs: 5_000 };
  return { name, route: `/${name}`, config: {}, onConfigChange: 'none', ...timeouts, versions };
}
