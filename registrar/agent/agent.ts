/** The agent that runs in every machine: does what its assignment says, and tells the registry what it is doing. */
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { McpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import { SessionKeeper } from '../recipes/session-keeper.ts';
import type { AgentRecord, AssignmentRecord, MachineState, QuarantineRecord } from '../records.ts';
import type { ConnectRegistry } from '../registry-client.ts';
import { codecs, encode } from '../store/codecs.ts';
import { agentWord, type InstanceView, runsTheSame } from './agent-records.ts';
import { ArtifactStore, defaultArtifactLimits } from './artifact.ts';
import { Bell } from './bell.ts';
import type { ConsoleLog } from './console-log.ts';
import type { HostSide } from './host-side.ts';
import { Instance } from './instance.ts';
import { endLeftovers } from './leftovers.ts';
import type { MachineRights } from './machine-rights.ts';
import { OwnNodes } from './own-nodes.ts';
import { Registration } from './registration.ts';
import { rehearse } from './rehearsal.ts';
import { awaitTurn } from './restart-turn.ts';
import type { RetryRules } from './retry-pace.ts';
import { RotatingLog } from './rotating-log.ts';
import { SelfTest } from './self-test.ts';
import { followWorld } from './session-watch.ts';
import type { WarmService } from './warm-service.ts';
import type { AgentWorld } from './world.ts';

interface MachineIdentity {
  uuid: string;
  /** The only address that is ever registered. An IP address. */
  address: string;
  clusterId: string;
  /** The machine's directory, wholly the agent's and its service's own. */
  dir: string;
}

export interface AgentTiming {
  /** Everything is read again at least this often, ms: no lost event matters for longer. */
  resyncMs: number;
  /** How long what would end the service (no ledger entry, no assignment) must be so before it is believed, ms. */
  burialGraceMs: number;
  /** The longest wait for one other instance's restart before this one restarts for a new configuration, ms. */
  turnMs: number;
  retry?: RetryRules;
}

const defaultTiming: AgentTiming = { resyncMs: 30_000, burialGraceMs: 15_000, turnMs: 60_000 };

export interface AgentOptions {
  config: MachineIdentity;
  connect: ConnectRegistry;
  clock: Clock;
  log: Logger;
  /** Aborted to leave in good order: announce draining, wait for the gateways, stop the service, deregister. */
  signal: AbortSignal;
  /** Of a machine behind its host's address translation. */
  host?: HostSide;
  /** Its own in the registry, where those differ from everybody's. */
  rights?: MachineRights;
  /** Shows the service's output too. */
  console?: ConsoleLog;
  timing?: Partial<AgentTiming>;
  /** Was started in this machine's template. */
  warm?: WarmService | null;
}

/**
 * Runs until the signal aborts and the service is stopped in good order. While the registry is away the service goes on.
 * Rejects, after the same good order, with: AGENT_BURIED (the ledger lacks this machine and says that it ended, or never had it),
 * CLUSTER_MISMATCH (another cluster's, and never was ours), AGENT_SUPERSEDED (a newer agent of this machine), AGENT_BAD_CONFIG,
 * REGISTRY_AUTH_FAILED, REGISTRY_BAD_ARGUMENTS.
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  if (isIP(options.config.address) === 0)
    throw new McpError('AGENT_BAD_CONFIG', `${options.config.address} is not an IP address`, {
      hint: 'A machine registers its own IP address, never a name.',
    });
  await new Agent(options).run();
}

/** What earlier agents of this machine left running gets this long before it is killed, ms. */
const leftoversPatienceMs = 2_000;

class Agent {
  readonly #options: AgentOptions;
  readonly #timing: AgentTiming;
  readonly #own: OwnNodes;
  readonly #keeper: SessionKeeper;
  readonly #registration: Registration;
  readonly #store: ArtifactStore;
  readonly #output: RotatingLog;
  readonly #broken = new AbortController();
  readonly #heard = new Bell();
  #world: AgentWorld | null = null;
  #notHereSince: number | null = null;
  readonly #test: SelfTest;
  /** Ends it; null until there was one. */
  #rehearsal: AbortController | null = null;
  #assignment: AssignmentRecord | null = null;
  /** This machine was in the registry once: what is foreign now was wiped, and may come back. */
  #known = false;
  /** The ledger was about to delete this machine when last read. */
  #leaves = false;
  #instance: Instance | null = null;
  #view: InstanceView | null = null;
  /** Why this agent itself lets the instance drain; the assignment may want it too. */
  #leaving: string | null = null;
  #said: AgentRecord | null = null;
  /** Runs, and waits to be assigned. */
  #warm: WarmService | null;
  /** Why a gateway leaves this machine's registration out; empty where none says so. */
  #leftOut = '';

  constructor(options: AgentOptions) {
    const { config, connect, clock, log, timing, host } = options;
    this.#options = options;
    this.#warm = options.warm ?? null;
    this.#timing = { ...defaultTiming, ...timing };
    this.#own = new OwnNodes(clock, (path, err) => log.warn({ path, err }, 'a node of ours could not be written'));
    this.#store = new ArtifactStore(
      join(config.dir, 'artifacts'),
      defaultArtifactLimits,
      host && ((artifact) => host.sourceOf(artifact)),
    );
    this.#output = new RotatingLog(join(config.dir, 'service.log'), {}, options.console?.voice('service').write);
    this.#keeper = new SessionKeeper({
      connect,
      clock,
      onSession: (client, signal) =>
        followWorld({
          client,
          signal,
          machine: config.uuid,
          clusterId: config.clusterId,
          own: this.#own,
          rights: options.rights,
          resyncMs: this.#timing.resyncMs,
          clock,
          log,
          onWorld: (world) => {
            this.#world = world;
            this.#heard.ring();
          },
          onSuperseded: (error) => this.#broken.abort(error),
        }),
      onLost: (reason) => log.warn({ err: reason }, 'no registry session'),
    });
    this.#registration = new Registration(this.#own, () => this.#keeper.client(), clock, config);
    this.#test = new SelfTest(config.dir, clock, (artifact) => host?.sourceOf(artifact) ?? artifact);
  }

  async run(): Promise<void> {
    const { config, clock, log, signal } = this.#options;
    await mkdir(config.dir, { recursive: true });
    await this.#store.sweep();
    // Of an agent that was killed: its service would hold the port, unsupervised.
    await endLeftovers(config.uuid, leftoversPatienceMs, clock, this.#warm ? null : config.dir);
    this.#watchWarm(signal);
    this.#test.start();
    this.#publish();
    const closing = new AbortController();
    const session = this.#keeper.run(closing.signal).catch((error: unknown) => this.#broken.abort(error));
    log.info({ address: config.address }, 'agent started');
    try {
      await this.#follow(AbortSignal.any([signal, this.#broken.signal]));
      await this.#depart();
    } finally {
      closing.abort();
      await session;
      await this.#output.flush();
    }
    if (this.#broken.signal.aborted && !signal.aborted) throw this.#broken.signal.reason;
    log.info('agent ended');
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#heard.rung(signal).catch(() => {});
      if (this.#world && !signal.aborted) await this.#apply(this.#world);
    }
  }

  async #apply(world: AgentWorld): Promise<void> {
    if (world.ledger !== 'here') return this.#notHere(world);
    this.#notHereSince = null;
    this.#hear(world.quarantine);
    this.#known = true;
    const { assignment, config, state } = world;
    this.#leaves = state === 'deleting';
    if (typeof assignment === 'string') return this.#refuse(assignment);
    if (!assignment && this.#instance && isHeld(state)) return this.#keepOn();
    const same = this.#assignment && assignment && runsTheSame(this.#assignment, assignment);
    if (this.#instance && !(same && assignment.want !== 'stop'))
      await this.#end(assignment ? 'the assignment says stop' : 'the assignment was removed');
    this.#assignment = assignment;
    if (!assignment) this.#view = null;
    else if (this.#instance) this.#instance.update(assignment);
    else if (assignment.want === 'run') this.#begin(assignment, await this.#warmFor(assignment));
    else this.#view ??= { phase: 'stopped', reason: 'nothing runs', starts: 0 };
    if (config) this.#instance?.configure(config.values);
    this.#publish();
    if (!assignment) this.#finishTest();
  }

  /** What needs the registry; what it finds out is told as soon as it is there. */
  #finishTest(): void {
    const { config, signal, log } = this.#options;
    const client = this.#keeper.client();
    if (this.#test.record) this.#rehearse();
    if (!client || this.#test.record) return;
    const tell = async () => {
      await this.#own.settled(paths.agent(config.uuid), signal);
      const text = this.#said && encode(codecs.agent, this.#said);
      if (!text || !(await this.#test.finish({ client, machine: config.uuid, text, signal }))) return;
      await this.#warm?.rehearse(this.#options.host, client, signal);
      this.#heard.ring();
    };
    tell().catch((error: unknown) => log.warn({ err: error }, 'the self-test could not be finished'));
  }

  /** Once, only where the processor may be an emulated one, and not where the service to be claimed runs already. */
  #rehearse(): void {
    const { host, clock, signal } = this.#options;
    if (!host || this.#rehearsal || this.#warm) return;
    this.#rehearsal = new AbortController();
    void rehearse(clock, AbortSignal.any([signal, this.#broken.signal, this.#rehearsal.signal]));
  }

  /** The controller takes an assignment away only with the claim; one that vanishes alone was lost, and orders nothing. */
  #keepOn(): void {
    this.#options.log.error({}, 'the assignment is gone, the claim is not: what runs goes on');
  }

  /**
   * The ledger lacks this machine, or is not ours. That alone is no order. A machine is given up only where the ledger was about
   * to delete it when last seen, or never had it: otherwise it is the ledger that was lost, and may take the machine in again.
   */
  #notHere(world: Exclude<AgentWorld, { ledger: 'here' }>): void {
    const now = this.#options.clock.monotonic();
    this.#notHereSince ??= now;
    this.#options.log.error({ ledger: world.ledger }, 'this machine is not in the registry');
    if (now - this.#notHereSince < this.#timing.burialGraceMs) return;
    if (this.#known && !(world.ledger === 'missing' && this.#leaves)) return;
    this.#broken.abort(world.ledger === 'missing' ? buried(this.#options.config.uuid) : world.error);
  }

  /** An assignment that can't be understood orders nothing: what runs goes on. */
  #refuse(problem: string): void {
    this.#options.log.error({ problem }, 'the assignment is invalid');
    if (this.#instance) return;
    this.#view = { phase: 'failed', reason: problem, starts: 0 };
    this.#publish();
  }

  /** Makes ready what can be before anything is assigned, and notices where the template's service ends by itself. */
  #watchWarm(signal: AbortSignal): void {
    const { host, log } = this.#options;
    const warm = this.#warm;
    if (!warm) return;
    const { service, version } = warm.order;
    log.info({ service, version: version.version, pid: warm.run.pid }, "the template's service runs");
    // Asked again when it is assigned; then it is known whether that failed.
    host?.openPort(version.port, signal).catch(() => {});
    void warm.run.exited.then(() => this.#publish());
  }

  /** The template's service where it is what is assigned; else it is ended. */
  async #warmFor(assignment: AssignmentRecord): Promise<WarmService | null> {
    const { clock, log } = this.#options;
    const warm = this.#warm;
    this.#warm = null;
    if (!warm || warm.isFor(assignment)) return warm;
    log.info({ service: warm.order.service }, "something else is assigned than the template's service: it is ended");
    await warm.stop(assignment.stopTimeoutMs, clock);
    return null;
  }

  #begin(assignment: AssignmentRecord, warm: WarmService | null): void {
    const { config, clock, log } = this.#options;
    log.info({ service: assignment.service, version: assignment.version.version }, 'assigned');
    this.#rehearsal?.abort();
    this.#registration.of(assignment);
    const instance = new Instance({
      machine: config,
      host: this.#options.host,
      assignment,
      warm,
      store: this.#store,
      output: this.#output,
      clock,
      log,
      onView: (view) => {
        if (this.#instance !== instance) return;
        this.#view = view;
        this.#publish();
      },
      leave: (signal) => this.#leaveForRestart(signal),
      retry: this.#timing.retry,
    });
    this.#instance = instance;
    this.#view = instance.view;
    instance.start();
  }

  /** Takes the instance out of the registry, then stops it. */
  async #end(reason: string): Promise<void> {
    const instance = this.#instance;
    if (!instance) return;
    this.#leaving = reason;
    await this.#registration.withdraw();
    this.#publish();
    await instance.stop(reason);
    this.#leaving = null;
    this.#instance = null;
    this.#publish();
  }

  async #depart(): Promise<void> {
    if (this.#instance && this.#registration.state) {
      this.#leaving = 'the agent is stopping';
      this.#publish();
      await this.#registration.drained(this.#instance.assignment.drainTimeoutMs);
    }
    await this.#end('the agent is stopping');
    await this.#warm?.stop(leftoversPatienceMs, this.#options.clock);
  }

  /** One instance of the service after the other, and each only when no gateway sends it requests any more. */
  async #leaveForRestart(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#options;
    const since = this.#world?.ledger === 'here' ? (this.#world.config?.since ?? 0) : 0;
    const service = this.#assignment?.service ?? '';
    const me = config.uuid;
    const patienceMs = this.#timing.turnMs;
    await awaitTurn({ client: () => this.#keeper.client(), me, service, since, patienceMs, clock, signal });
    this.#leaving = 'restarting with a new configuration';
    this.#publish();
    await this.#registration.drained(this.#assignment?.drainTimeoutMs ?? 0, signal);
  }

  /** A gateway's word counts as long as it is about what is registered now. */
  #hear(word: QuarantineRecord | null): void {
    const { assignment } = this.#instance ?? {};
    const { uuid } = this.#options.config;
    const path = assignment && paths.registration(assignment.service, assignment.version.version, uuid);
    const leftOut = word && word.path === path ? `left out by ${word.gateway}: ${word.reason}` : '';
    if (leftOut === this.#leftOut) return;
    this.#leftOut = leftOut;
    const { log } = this.#options;
    if (leftOut === '') log.info('the registration is left out no more');
    else log.error({ path, reason: leftOut }, 'the registration gets no requests');
    this.#publish();
  }

  /** Says in the registry what is so now. */
  #publish(): void {
    const { config, clock, log } = this.#options;
    // What is adopted serves in a moment, or has something to say: a word in between only takes time.
    if (this.#view?.warm && this.#view.phase === 'checking' && this.#view.reason === '') return;
    const restarted = this.#view?.phase !== 'serving' && this.#leaving?.startsWith('restarting');
    if (restarted) this.#leaving = null;
    const wanted = this.#assignment?.want === 'drain' ? 'drained by the controller' : null;
    const word = agentWord(this.#view, this.#leaving ?? wanted, this.#registration.state);
    this.#registration.set(word.registered);
    const before = this.#said;
    const selfTest = word.phase === 'idle' ? this.#test.record : null;
    const phase = word.phase === 'idle' && !selfTest ? 'testing' : word.phase;
    const record: AgentRecord = {
      machine: config.uuid,
      phase,
      reason: word.registered === null ? word.reason : word.reason || this.#leftOut,
      at: before?.phase === phase ? before.at : clock.now(),
      ...(this.#assignment && { service: this.#assignment.service, version: this.#assignment.version.version }),
      starts: word.starts,
      ...(word.ended !== undefined && { ended: word.ended }),
      ...(selfTest && { selfTest }),
      ...(word.phase === 'idle' && this.#warm?.lives && { template: this.#warm.order.template }),
      ...(this.#view?.warm && { warm: true }),
    };
    if (before?.phase !== record.phase) log.info({ phase: record.phase, reason: record.reason }, 'phase');
    this.#said = record;
    this.#own.want(paths.agent(config.uuid), encode(codecs.agent, record));
  }
}

/** A claimed machine's assignment is there: the claim wrote both. Where the ledger can't be read, nothing is known against it. */
function isHeld(state: MachineState | null): boolean {
  return state === null || state === 'claimed' || state === 'draining';
}

function buried(uuid: string): McpError {
  return new McpError('AGENT_BURIED', `the registry's ledger has no machine ${uuid}`, {
    hint: 'The controller gave this machine up; it can be destroyed.',
  });
}
