/**
 * A deterministic simulation: real controllers (election, observation, planning, execution) over a registry, a cloud, agents and
 * a gateway in memory, on one hand-moved clock and one seeded chance. Faults for a while, then all is healed, and the world
 * must become as declared. After FoundationDB's simulation and TigerBeetle's VOPR.
 */
import { formatRegistry } from '../../registrar/recipes/format-registry.ts';
import type { DesiredRecord, MachineRecord } from '../../registrar/records.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import type { Environment } from '../../specs/nouns.ts';
import { FakeProvider } from '../../vm-factory/fake/fake-provider.ts';
import { ManualClock } from '../helpers/manual-clock.ts';
import { ModelOperator } from './model-operator.ts';
import { ModelWorld } from './model-world.ts';
import { Oracle } from './oracle.ts';
import { Random } from './random.ts';
import { type PlantedBug, SimController } from './sim-controller.ts';

export interface SimulationOptions {
  seed: number;
  bug?: PlantedBug;
  /** No chance: only a scale-down, a dead machine, and a kill of the first controller that comes to this failpoint. */
  killAt?: string;
  /** The how manieth coming to it is the last; 1 unless said. */
  killTurn?: number;
  /** As `killAt`, at every failpoint: whoever comes to one at which nobody was killed yet is killed there. */
  killAtEach?: true;
  /** No chance either: only this rollout. Kills begin with what is said last of it: the upgrade, the abort, the roll-back, the scaling. */
  rollout?:
    | 'upgrade'
    | 'failure'
    | 'abort'
    | 'undo'
    | 'scaled'
    /** When old machines have gone already. */
    | 'late-abort'
    | 'late-undo'
    | 'ordered'
    | 'ordered-failure';
  /** What happens again and again while it goes on. */
  meanwhile?: 'registry-restarts' | 'clock-jumps';
  /** Machines kept ready; 2 unless said. */
  pool?: number;
  /** The most machines that the provider makes; absent: no quota. */
  quota?: number;
  /** ms of simulated time with faults. */
  chaosMs?: number;
  /** ms of simulated time to converge in afterwards. */
  healMs?: number;
}

export interface SimulationResult {
  seed: number;
  violations: string[];
  /** What is not as declared at the end; empty: all is. */
  unfinished: string[];
  trace: string[];
  /** Whether a controller came to `killAt`. */
  killed: boolean;
  /** With `killAtEach`: where they were, in order. */
  killedAt: string[];
  /** How the last rollout of dns ended; null: there was none. */
  rollout: RolloutRecord['phase'] | null;
  /** The last rollout of every service. */
  rollouts: Record<string, RolloutRecord>;
}

const clusterId = 'sim';
const stepMs = 500;
/** Chance of a fault in each step. */
const faultShare = 0.08;

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  await simulation.start();
  if (options.rollout) await simulation.roll(options.rollout);
  else if (options.killAt === undefined && !options.killAtEach) await simulation.run(options.chaosMs ?? 240_000, true);
  else await simulation.play();
  await simulation.heal();
  const until = simulation.now + (options.healMs ?? 1_800_000);
  // Settled for a while, not only at one moment: no flapping.
  let settled = 0;
  const enough = options.rollout ? 3 : 10;
  while (simulation.now < until && settled < enough) {
    await simulation.run(5_000, false);
    settled = simulation.unfinished().length === 0 ? settled + 1 : 0;
  }
  await simulation.stop();
  return simulation.result();
}

class Simulation {
  readonly #seed: number;
  readonly #bug: PlantedBug | null;
  readonly #killAt: string | null;
  readonly #random: Random;
  readonly #clock = new ManualClock();
  readonly #registry: FakeRegistry;
  readonly #provider: FakeProvider;
  readonly #world: ModelWorld;
  readonly #oracle: Oracle;
  readonly #trace: string[] = [];
  #controllers: SimController[] = [];
  #later: { at: number; run: () => void | Promise<void> }[] = [];
  #operator: ModelOperator | null = null;
  #started = 0;
  #killed = false;
  #turns: number;
  readonly #killAtEach: boolean;
  readonly #killedAt: string[] = [];
  /** Whether coming to a failpoint counts yet. */
  #armed: boolean;
  readonly #meanwhile: SimulationOptions['meanwhile'];
  readonly #pool: number;

  constructor({ seed, bug, killAt, killTurn, killAtEach, rollout, meanwhile, pool, quota }: SimulationOptions) {
    this.#killAtEach = killAtEach === true;
    this.#armed = rollout === undefined;
    this.#meanwhile = meanwhile;
    this.#pool = pool ?? 2;
    this.#turns = killTurn ?? 1;
    this.#seed = seed;
    this.#bug = bug ?? null;
    this.#killAt = killAt ?? null;
    this.#random = new Random(seed);
    this.#registry = new FakeRegistry({ clock: this.#clock });
    this.#provider = new FakeProvider({
      clock: this.#clock,
      clusterId,
      bootMs: 2_000,
      destroyMs: 1_000,
      maxMachines: quota,
    });
    this.#world = new ModelWorld(this.#registry, this.#provider, this.#random, () => this.now);
    this.#oracle = new Oracle(this.#registry, this.#provider, () => this.now);
  }

  get now(): number {
    return this.#clock.monotonic();
  }

  async start(): Promise<void> {
    const client = await this.#registry.connect();
    await formatRegistry(client, this.#clock, { clusterId });
    this.#operator = new ModelOperator(this.#registry, client, this.#clock, this.#random, (line) => this.#say(line));
    const { environment } = this.operator;
    this.operator.environment = { ...environment, pool: { ...environment.pool, size: this.#pool } };
    await this.operator.declare(environment.services, true);
    this.#startController();
    this.#startController();
  }

  async run(ms: number, faults: boolean): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.#clock.advance(stepMs);
      await this.#runLater();
      await this.#world.step();
      this.#oracle.look();
      if (faults && this.#random.chance(faultShare)) await this.#fault();
    }
  }

  /** What brings a controller to every failpoint there is. */
  async play(): Promise<void> {
    await this.run(40_000, false);
    await this.operator.scale(() => 1, true);
    await this.run(40_000, false);
    this.#provider.kill(this.#ledger().find(({ state }) => state === 'claimed')?.uuid ?? '');
    await this.run(40_000, false);
    await this.#loseLedger(0);
    await this.run(40_000, false);
  }

  /** One rollout from its beginning to its end. */
  async roll(kind: NonNullable<SimulationOptions['rollout']>): Promise<void> {
    if (kind.startsWith('ordered')) return this.#rollInOrder(kind === 'ordered-failure');
    await this.run(30_000, false);
    this.#armed = kind === 'upgrade' || kind === 'failure';
    const isLate = kind.startsWith('late');
    await this.operator.roll('upgrade', 'dns', kind === 'failure', isLate ? 0 : undefined);
    const isUndo = kind.endsWith('undo');
    if (kind === 'late-abort') await this.#runUntil(() => this.#rollouts().some(({ base }) => base > 1));
    else if (isUndo) await this.#runUntilOver();
    else if (kind === 'abort' || kind === 'scaled') await this.run(8_000, false);
    if (kind === 'late-undo') await this.run(20_000, false);
    this.#armed = true;
    if (kind.endsWith('abort')) await this.operator.roll('abort', 'dns');
    if (kind === 'scaled') await this.operator.scale(() => 6, true);
    if (isUndo) await this.operator.roll('rollback', 'dns');
    await this.#runUntilOver();
  }

  async #rollInOrder(fails: boolean): Promise<void> {
    await this.operator.addMail();
    await this.run(30_000, false);
    this.#armed = true;
    await this.operator.applyOrdered(fails ? 'dns' : null);
    await this.#runUntilOver();
  }

  #runUntilOver(): Promise<void> {
    return this.#runUntil(() => this.#rollouts().every(({ phase }) => ['done', 'reverted'].includes(phase)));
  }

  async #runUntil(holds: () => boolean): Promise<void> {
    for (let passed = 0; passed < 900_000 && !holds(); passed += 1_000) {
      await this.run(1_000, false);
      if (this.#meanwhile === 'clock-jumps') this.#clock.jump(this.#random.int(-12, 12) * 3_600_000);
      if (this.#meanwhile === 'registry-restarts' && this.#registry.up && this.#random.chance(0.2))
        this.#stopRegistry();
    }
  }

  async heal(): Promise<void> {
    this.#say('heal');
    this.#world.badShare = 0;
    this.#provider.heal();
    this.#registry.start();
    for (const { run } of this.#later.splice(0)) await run();
    for (const controller of this.#controllers) {
      controller.hear();
      if (controller.client?.state === 'suspended') this.#registry.resume(controller.client);
    }
    while (this.#controllers.length < 2) this.#startController();
    await this.operator.resume();
    await this.operator.withdrawBroken();
    await this.operator.unprotectAll();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#controllers.map((controller) => this.#whileTimePasses(controller.stop())));
    await this.#provider.close();
  }

  /** What is not as declared. */
  unfinished(): string[] {
    const found: string[] = [];
    const ledger = this.#ledger();
    const { services, pool } = this.#declared();
    for (const one of services) {
      const wanted = one.versions.reduce((sum, { count }) => sum + count, 0);
      const live = this.#oracle.live(one.name).length;
      if (live !== wanted) found.push(`${one.name}: ${live} live, ${wanted} declared`);
    }
    const wanted = services.flatMap(({ versions }) => versions).reduce((sum, { count }) => sum + count, 0);
    const others = ledger.filter(({ image }) => image !== pool.image).length;
    if (others > 0) found.push(`${others} machines are not of image ${pool.image}`);
    const told = ledger.filter(({ state, toLeave }) => state === 'claimed' && toLeave).length;
    if (told > 0) found.push(`${told} machines were told to go and did not`);
    const states = (state: string) => ledger.filter((machine) => machine.state === state).length;
    if (states('claimed') !== wanted) found.push(`${states('claimed')} machines claimed, ${wanted} wanted`);
    if (states('ready') !== pool.size) found.push(`${states('ready')} ready, ${pool.size} wanted`);
    if (states('deleting') + states('draining') > 0) found.push('machines on their way out');
    const known = new Set(ledger.map(({ uuid }) => uuid));
    const truth = this.#provider.truth();
    const leaked = truth.filter(({ uuid }) => !known.has(uuid)).length;
    for (const { service, phase, wanted: open, why } of this.#rollouts()) {
      if (open.length > 0) found.push(`the rollout of ${service} is ${phase}: ${why}`);
    }
    if (leaked > 0) found.push(`${leaked} machines leaked`);
    if (truth.length !== ledger.length)
      found.push(`${ledger.length} machines in the ledger, ${truth.length} at the provider`);
    return found;
  }

  result(): SimulationResult {
    return {
      seed: this.#seed,
      violations: this.#oracle.violations,
      unfinished: this.unfinished(),
      trace: this.#trace,
      killed: this.#killed,
      killedAt: this.#killedAt,
      rollouts: Object.fromEntries(this.#rollouts().map((record) => [record.service, record])),
      rollout: this.#rollouts().find(({ service }) => service === 'dns')?.phase ?? null,
    };
  }

  #declared(): Environment {
    return (JSON.parse(this.#registry.tree.get('/desired', []).data.toString()) as DesiredRecord).environment;
  }

  #rollouts(): RolloutRecord[] {
    const { children } = this.#registry.tree.children('/rollouts', []);
    return children.map(
      (name) => JSON.parse(this.#registry.tree.get(`/rollouts/${name}`, []).data.toString()) as RolloutRecord,
    );
  }

  #ledger(): MachineRecord[] {
    const { children } = this.#registry.tree.children('/machines', []);
    return children.map(
      (uuid) => JSON.parse(this.#registry.tree.get(`/machines/${uuid}`, []).data.toString()) as MachineRecord,
    );
  }

  async #fault(): Promise<void> {
    const faults: Record<string, () => unknown> = {
      'machine dies': () => this.#provider.kill(this.#someMachine(), this.#random.chance(0.7) ? 'stopped' : 'error'),
      'machine is deleted by hand': () => this.#provider.remove(this.#someMachine()),
      'machine cannot be told': () => this.#hide(),
      'half of the agents are cut off': () => this.#cutAgents(0.5),
      'agent is cut off': () => this.#cutAgents(0.1),
      'create reply is lost': () =>
        this.#provider.inject({ on: 'create', kind: 'reply-lost', landsAfterMs: this.#random.int(0, 90_000) }),
      'create is refused': () => this.#provider.inject({ on: 'create', kind: 'refused' }),
      'machine never boots': () => this.#provider.inject({ on: 'create', kind: 'never-runs' }),
      'machine boots into error': () => this.#provider.inject({ on: 'create', kind: 'turns-error' }),
      'list fails': () => this.#provider.inject({ on: 'list', kind: 'unavailable' }, 2),
      'destroy has no effect': () => this.#provider.inject({ on: 'destroy', kind: 'no-effect' }),
      'hints are lost': () => Object.assign(this.#provider, { eventDelivery: 'lost' }),
      'controller is killed': () => this.#killController(),
      'controller is killed in the middle of an act': () => this.#killInAct(),
      'controller loses its connection': () => this.#cutController(),
      'controller loses a reply': () => this.#dropReply(),
      'leader is deposed and does not hear of it': () => this.#depose(),
      'registry is away': () => this.#stopRegistry(),
      'operator scales': () => this.#scale(),
      'operator upgrades': () => this.operator.upgrade(),
      'operator rolls out': () => this.operator.roll('upgrade'),
      'operator applies a file': () => this.operator.applySome(),
      'operator aborts': () => this.operator.roll('abort'),
      'operator rolls back': () => this.operator.roll('rollback'),
      'operator speaks of one instance': () => this.operator.speakOfOne(),
      'operator suspends': () => this.#suspend(),
      'operator changes the image': () => this.operator.changeImage(),
      'most of the ledger is lost': () => this.#loseLedger(0.8),
      'some of the ledger is lost': () => this.#loseLedger(0.15),
      'new machines are bad': () => this.#makeBad(),
      'the wall clock is set hours wrong': () => this.#clock.jump(this.#random.int(-12, 12) * 3_600_000),
    };
    const name = this.#random.pick(Object.keys(faults)) ?? '';
    this.#say(name);
    await faults[name]?.();
  }

  #someMachine(): string {
    return this.#random.pick(this.#provider.truth())?.uuid ?? '';
  }

  #hide(): void {
    const uuid = this.#someMachine();
    this.#provider.hide(uuid);
    this.#after(20_000, () => this.#provider.hide(uuid, false));
  }

  #makeBad(): void {
    this.#world.badShare = 0.6;
    this.#after(30_000, () => {
      this.#world.badShare = 0;
    });
  }

  /** Somebody deletes nodes of the ledger; of one machine that serves where `share` is 0. */
  async #loseLedger(share: number): Promise<void> {
    const { client } = this.operator;
    if (!this.#registry.up) return;
    const serving = this.#ledger().find(({ state, served }) => state === 'claimed' && served)?.uuid;
    this.#oracle.wiping = true;
    for (const { uuid } of this.#ledger()) {
      if (share === 0 ? uuid !== serving : !this.#random.chance(share)) continue;
      const path = `/machines/${uuid}`;
      for (const name of (await client.children(path)).children) await client.delete(`${path}/${name}`);
      await client.delete(path);
    }
    this.#oracle.wiping = false;
  }

  #cutAgents(share: number): void {
    for (const agent of this.#world.agents.values()) if (this.#random.chance(share)) this.#world.loseSession(agent);
  }

  #startController(): void {
    this.#started += 1;
    this.#controllers.push(
      new SimController({
        id: `c${this.#started}`,
        clock: this.#clock,
        world: this.#world,
        oracle: this.#oracle,
        random: this.#random,
        clusterId,
        bug: this.#bug,
        trace: (line) => this.#say(line),
        onFailpoint: (name, controller) => this.#killAtFailpoint(name, controller),
      }),
    );
  }

  #killController(): void {
    const victim = this.#random.pick(this.#controllers);
    if (victim) this.#kill(victim);
  }

  #kill(victim: SimController): void {
    this.#controllers = this.#controllers.filter((one) => one !== victim);
    victim.kill();
    this.#after(this.#random.int(1_000, 20_000), () => this.#startController());
  }

  #killInAct(): void {
    const victim = this.#random.pick(this.#controllers);
    if (!victim) return;
    victim.pauseNext = () => {
      this.#after(0, () => this.#kill(victim));
      return this.#clock.sleep(1_000).then(() => Promise.reject(new Error('killed')));
    };
  }

  /** The controller gets no further than here. */
  #killAtFailpoint(name: string, controller: SimController): Promise<void> | undefined {
    if (!this.#armed) return;
    if (this.#killAtEach) {
      if (this.#killedAt.includes(name)) return;
      this.#killedAt.push(name);
    } else {
      if (name !== this.#killAt || this.#killed) return;
      this.#turns -= 1;
      if (this.#turns > 0) return;
    }
    this.#killed = true;
    this.#say(`${controller.id} is killed at ${name}`);
    this.#kill(controller);
    return Promise.reject(new Error('killed'));
  }

  #cutController(): void {
    const { client } = this.#random.pick(this.#controllers) ?? {};
    if (client?.state !== 'connected') return;
    this.#registry.suspend(client);
    const away = this.#random.int(1_000, 20_000);
    if (away > 10_000) this.#after(10_000, () => this.#registry.expire(client));
    this.#after(away, () => this.#registry.resume(client));
  }

  #dropReply(): void {
    const { client } = this.#random.pick(this.#controllers) ?? {};
    if (client?.state === 'connected') this.#registry.dropNextReply(client);
  }

  /** Two leaders: one stands still in the middle of an act, hears nothing, and goes on when another leads. */
  async #depose(): Promise<void> {
    const { operator } = this;
    if (!this.#registry.up) return;
    const [first] = this.#registry.tree.stat('/leader') ? (await operator.client.children('/leader')).children : [];
    if (first === undefined) return;
    const { id } = JSON.parse((await operator.client.get(`/leader/${first}`)).data.toString()) as { id: string };
    const leader = this.#controllers.find((one) => one.id === id);
    if (!leader) return;
    leader.deafen();
    leader.pauseNext = async () => {
      this.#say(`${id} stands still`);
      this.#after(15_000, () => leader.hear());
      await operator.client.delete(`/leader/${first}`).catch(() => {});
      await this.#clock.sleep(5_000);
    };
    // Something to do, so that it comes to stand still.
    await this.#scale();
  }

  #stopRegistry(): void {
    this.#say('the registry is away');
    this.#registry.stop();
    this.#after(this.#random.int(1_000, 15_000), () => this.#registry.start());
  }

  get operator(): ModelOperator {
    if (!this.#operator) throw new Error('the simulation was not started');
    return this.#operator;
  }

  #scale(): Promise<void> {
    return this.operator.scale(() => this.#random.int(1, 6), this.#random.chance(0.5));
  }

  async #suspend(): Promise<void> {
    await this.operator.suspend();
    this.#after(20_000, () => this.operator.resume());
  }

  #after(ms: number, run: () => void | Promise<void>): void {
    this.#later.push({ at: this.now + ms, run });
  }

  async #runLater(): Promise<void> {
    const due = this.#later.filter(({ at }) => at <= this.now);
    this.#later = this.#later.filter(({ at }) => at > this.now);
    for (const { run } of due) await run();
  }

  /** Waits for something that may itself wait for the clock. */
  async #whileTimePasses(work: Promise<void>): Promise<void> {
    let over = false;
    const end = work.finally(() => {
      over = true;
    });
    for (let tries = 0; !over && tries < 100; tries += 1) await this.#clock.advance(100);
    if (!over) throw new Error('a controller does not end');
    await end;
  }

  #say(line: string): void {
    this.#trace.push(`${String(this.now).padStart(8)} ${line}`);
  }
}
