/** A service and its machines, small enough to roll in a test: what a planner would do, without any of its reasons. */
import { nextRollout } from '../../../mcp/rollout/next-rollout.ts';
import {
  type GateLook,
  isActive,
  type RolloutInput,
  type RolloutInstance,
  stageKey,
} from '../../../mcp/rollout/rollout-input.ts';
import { startRollout } from '../../../mcp/rollout/start-rollout.ts';
import { effectiveEnvironment } from '../../../registrar/recipes/effective-environment.ts';
import type { RolloutOrder, RolloutRecord, VersionFigures } from '../../../registrar/rollout-records.ts';
import type { RolloutSettings, Service, Version } from '../../../specs/nouns.ts';
import { defaultRollout } from '../../../specs/rollout-settings.ts';
import { service, version } from '../plan/world-builder.ts';

export interface SmallOptions {
  count?: number;
  from?: Version[];
  to?: Version;
  settings?: Partial<RolloutSettings>;
  room?: number | null;
  order?: RolloutOrder;
}

const stepMs = 1_000;

export class SmallService {
  now = 0;
  declared: Service;
  record: RolloutRecord;
  machines: (RolloutInstance & { readyAt: number })[] = [];
  room: number | null;
  figures: VersionFigures[] | null = null;
  gate: GateLook | null = null;
  /** Of other services. */
  others: RolloutRecord[] = [];
  /** Why an instance of a version fails at its start; absent: it does not. */
  broken = new Map<string, string>();
  /** ms from claim to serving. */
  startMs = 2_000;
  waits = '';
  #stageSince = 0;
  #stage = '';
  #ids = 0;

  constructor({
    count = 4,
    from = [version('1.0.0', count)],
    to = version('2.0.0', 1),
    settings = {},
    room = null,
    order,
  }: SmallOptions = {}) {
    this.room = room;
    this.declared = service('dns', from);
    for (const one of from) for (let n = 0; n < one.count; n += 1) this.#claim(one, -60_000);
    const begun = startRollout({
      service: this.declared,
      previous: null,
      kind: 'upgrade',
      to: [to],
      settings: { ...defaultRollout, ...settings },
      instances: this.machines,
      order,
      operation: 'op',
      by: 'operator:test',
      reason: 'test',
      at: 0,
    });
    if (!begun) throw new Error('there was nothing to roll');
    this.record = begun.record;
    this.declared = begun.service;
  }

  /** What is wanted right now. */
  get wanted(): Version[] {
    const environment = {
      name: 't',
      pool: { size: 0, image: 'i' },
      gateway: { title: '', description: '' },
      services: [this.declared],
    };
    return effectiveEnvironment(environment, { dns: { record: this.record } }).services[0]?.versions ?? [];
  }

  count(name: string): number {
    return this.wanted.find((one) => one.version === name)?.count ?? 0;
  }

  weight(name: string): number | undefined {
    return this.wanted.find((one) => one.version === name)?.weight;
  }

  live(name?: string): number {
    return this.machines.filter(({ version: of, state }) => state === 'live' && (name === undefined || of === name))
      .length;
  }

  scale(total: number): void {
    const versions = this.declared.versions.map((one) => (one.count > 0 ? { ...one, count: total } : one));
    this.declared = { ...this.declared, versions };
  }

  /** A second passes: machines come up, the rollout steps, and the planner claims and drains. */
  step(): void {
    this.now += stepMs;
    for (const machine of this.machines) this.#grow(machine);
    this.roll();
    this.#plan();
  }

  /** One look at the record alone. */
  roll(): void {
    const key = stageKey(this.record);
    if (key !== this.#stage) this.#stageSince = this.now;
    this.#stage = key;
    const step = nextRollout(this.seen());
    this.waits = step.waits;
    if (step.record) this.record = step.record;
    if (step.redeclare) this.declared = step.redeclare;
  }

  /** What a look sees, `later` ms from now if nothing happens. */
  seen(later = 0): RolloutInput {
    const { record, declared, machines, others, room, figures, gate, now } = this;
    const instances = structuredClone(machines).map((one) => ({
      ...one,
      healthyMs: one.state === 'live' ? one.healthyMs + later : 0,
    }));
    const since = stageKey(record) === this.#stage ? this.#stageSince : now;
    const stageMs = now - since + later;
    return { record, declared, instances, others, room, figures, gate, stageMs, now: now + later };
  }

  /** Steps until the rollout is over, or so many seconds. */
  run(seconds = 600, look: () => void = () => {}): this {
    for (let n = 0; n < seconds && isActive(this.record); n += 1) {
      this.step();
      look();
    }
    return this;
  }

  kill(name: string): void {
    const victim = this.machines.find(({ version: of, state }) => of === name && state === 'live');
    this.machines = this.machines.filter((machine) => machine !== victim);
  }

  #claim(of: Version, at: number): void {
    this.machines.push({
      machine: `m${++this.#ids}`,
      version: of.version,
      digest: of.digest,
      state: at < 0 ? 'live' : 'coming',
      healthyMs: at < 0 ? 60_000 : 0,
      waitingMs: 0,
      reason: at < 0 ? '' : 'starting',
      readyAt: at + this.startMs,
    });
  }

  #grow(machine: RolloutInstance & { readyAt: number }): void {
    if (machine.state === 'live') machine.healthyMs += stepMs;
    if (machine.state !== 'coming') return;
    machine.waitingMs += stepMs;
    const broken = this.broken.get(machine.version);
    if (this.now < machine.readyAt || broken === 'never') return;
    machine.state = broken === undefined ? 'live' : 'failed';
    machine.reason = broken ?? '';
  }

  /** As the planner: claims what is missing, drains only where more live than are wanted in all (P4), drops what is failed. */
  #plan(): void {
    const total = this.wanted.reduce((sum, { count }) => sum + count, 0);
    this.machines = this.machines.filter(({ state }) => state !== 'failed');
    for (const one of this.wanted) {
      const mine = this.machines.filter(({ version: of, digest }) => of === one.version && digest === one.digest);
      for (let n = mine.length; n < one.count; n += 1) this.#claim(one, this.now);
      const coming = mine.filter(({ state }) => state === 'coming');
      const excess = new Set(coming.slice(0, Math.max(0, mine.length - one.count)));
      this.machines = this.machines.filter((machine) => !excess.has(machine));
    }
    for (const one of this.wanted) {
      const live = this.machines.filter(({ version: of, state }) => of === one.version && state === 'live');
      for (const victim of live.slice(0, Math.max(0, live.length - one.count))) {
        if (this.live() <= total) break;
        this.machines = this.machines.filter((machine) => machine !== victim);
      }
    }
  }
}
