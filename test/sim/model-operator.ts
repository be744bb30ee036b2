/** The people of a simulation: they declare, scale, upgrade (sometimes to what cannot start), put the brake on and take it off. */

import { applyEnvironment } from '../../mcp/declare/apply-environment.ts';
import { abort, rollback, upgrade } from '../../mcp/declare/change-version.ts';
import { setProtection } from '../../mcp/declare/operator-words.ts';
import { removeInstance } from '../../mcp/declare/remove-instance.ts';
import type { Clock } from '../../registrar/clock.ts';
import { publishDesired } from '../../registrar/recipes/desired-document.ts';
import { resume, suspend } from '../../registrar/recipes/suspension.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { readRegistry } from '../../registrar/store/read-registry.ts';
import type { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import { allowanceFor } from '../../specs/compare-environments.ts';
import { isMcpError } from '../../specs/errors.ts';
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
    if (!this.#registry.up) return;
    await this.#look();
    const scaled = (version: Version) => (version.count > 0 ? { ...version, count: count() } : version);
    await this.declare(
      this.environment.services.map((one) => ({ ...one, versions: one.versions.map(scaled) })),
      givesUp,
    );
  }

  /** Some services get a new version, which may be one that cannot start. */
  async upgrade(): Promise<void> {
    if (!this.#registry.up) return;
    await this.#look();
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
    await this.#look();
    const sound = (one: Service) => ({ ...one, versions: one.versions.filter(({ env }) => !env[brokenMark]) });
    await this.declare(
      this.environment.services.map(sound).filter(({ versions }) => versions.length > 0),
      true,
    );
  }

  /** What is declared may have been changed by others: a rollout that goes back declares. */
  async #look() {
    const registry = await readRegistry(this.client, { allowLoopback: true });
    this.environment = registry.declared?.record.environment ?? this.environment;
    return registry;
  }

  /** A rolling upgrade of a service, or the way back, or undo; what the service is not ready for is refused. */
  async roll(
    what: 'upgrade' | 'abort' | 'rollback',
    name = this.#random.pick(['dns', 'web']) ?? 'dns',
    broken?: boolean,
    undoMs = this.#random.int(0, 40_000),
  ): Promise<void> {
    if (!this.#registry.up) return;
    const author = { author: by, reason: 'simulated', at: this.#clock.now(), operation: this.#random.uuid() };
    const version = this.#version(`${this.#random.int(1, 9)}.1.0`, 1, broken ?? this.#random.chance(0.3));
    try {
      const registry = await this.#look();
      const [surge, drawn] = [this.#random.int(0, 2), this.#random.int(0, 1)];
      // Neither more nor fewer is refused.
      const unavailable = surge === 0 ? 1 : drawn;
      const settings = { surge, unavailable, undoMs };
      if (what === 'upgrade') await upgrade(this.client, registry, name, version, settings, author);
      else await (what === 'abort' ? abort : rollback)(this.client, name, author);
      this.#say(`${what} of ${name}${what === 'upgrade' ? ` to ${version.version}` : ''}`);
    } catch (error) {
      if (!isMcpError(error)) throw error;
      this.#say(`${what} of ${name} was refused: ${error.code}`);
    }
    await this.#look();
  }

  /** Of one instance: that it stays, that it stays no more, that it goes, that another one takes its place. */
  async speakOfOne(): Promise<void> {
    if (!this.#registry.up) return;
    const what = this.#random.pick(['protect', 'unprotect', 'remove', 'replace']) ?? '';
    const author = { author: by, reason: 'simulated', at: this.#clock.now(), confirmed: true };
    const registry = await this.#look();
    const { uuid, claim } = this.#random.pick(registry.machines)?.record ?? {};
    try {
      if (what.endsWith('protect')) await setProtection(this.client, uuid ?? '', what === 'protect', author);
      else {
        const target = { service: claim?.service ?? 'dns', machine: uuid ?? '', replace: what === 'replace' };
        await removeInstance(this.client, registry, target, author);
      }
      this.#say(`${what} ${uuid}`);
    } catch (error) {
      if (!isMcpError(error)) throw error;
      this.#say(`${what} ${uuid} was refused: ${error.code}`);
    }
    await this.#look();
  }

  async unprotectAll(): Promise<void> {
    const registry = await this.#look();
    const author = { author: by, reason: 'simulated', at: this.#clock.now() };
    for (const { record } of registry.machines)
      if (record.protected && record.state === 'claimed') await setProtection(this.client, record.uuid, false, author);
  }

  /** Some services get a new version by one file, web after dns; one of them may not start. */
  async applySome(): Promise<void> {
    if (!this.#registry.up) return;
    const broken = this.#random.pick(['dns', 'web', null]) ?? null;
    const chosen = ['dns', 'web'].filter(() => this.#random.chance(0.8));
    try {
      await this.applyOrdered(broken, `${this.#random.int(1, 9)}.2.0`, chosen);
    } catch (error) {
      if (!isMcpError(error)) throw error;
      this.#say(`apply was refused: ${error.code}`);
    }
  }

  /** Services get a new version by one file, web after dns and mail beside them; what is broken can't start. */
  async applyOrdered(broken: string | null, name = '2.0.0', chosen = ['dns', 'web', 'mail']): Promise<void> {
    await this.#look();
    const after: Record<string, string[]> = { web: ['dns'] };
    const services = this.environment.services.map((one) => {
      if (!chosen.includes(one.name)) return one;
      const count = one.versions.reduce((sum, version) => sum + version.count, 0);
      const version = this.#version(name, count, one.name === broken);
      return { ...one, ...(after[one.name] ? { after: after[one.name] } : {}), versions: [version] };
    });
    const words = { author: by, reason: 'simulated', confirmed: true, at: this.#clock.now() };
    const environment = { ...this.environment, services };
    const { rollouts } = await applyEnvironment(this.client, environment, {
      ...words,
      staged: true,
      newId: () => this.#random.uuid(),
    });
    this.#say(`applied: ${rollouts.map(({ service: name, phase }) => `${name} ${phase}`).join(', ')}`);
    await this.#look();
  }

  /** One more service, for what goes on beside the others. */
  async addMail(): Promise<void> {
    await this.declare([...this.environment.services, service('mail', [this.#version('1.0.0', 1)])], true);
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
  const rollout = { minHealthyMs: 2_000, bakeMs: 2_000, undoMs: 10_000 };
  return { name, route: `/${name}`, config: {}, onConfigChange: 'none', ...timeouts, rollout, versions };
}
