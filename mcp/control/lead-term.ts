/** One time of leading: look, plan, act, and look again when something happened. */
import { randomUUID } from 'node:crypto';
import type { RegistryAccess } from '../../registrar/access.ts';
import type { Clock } from '../../registrar/clock.ts';
import { paths } from '../../registrar/layout.ts';
import { backoffDelay } from '../../registrar/recipes/backoff.ts';
import { trimEnded } from '../../registrar/recipes/ended-machines.ts';
import { trimEvents } from '../../registrar/recipes/event-log.ts';
import type { LeaderTerm } from '../../registrar/recipes/leader-latch.ts';
import type { Versioned } from '../../registrar/recipes/versioned-document.ts';
import type { GatewayRecord } from '../../registrar/records.ts';
import type { RegistryClient, WatchHandle } from '../../registrar/registry-client.ts';
import type { RolloutRecord, VersionFigures } from '../../registrar/rollout-records.ts';
import type { ProviderRecord } from '../../registrar/status-records.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import type { MachineProvider } from '../../vm-factory/provider.ts';
import { hasSurplus } from '../plan/choose-victims.ts';
import { makePlan } from '../plan/make-plan.ts';
import { freshMemory, type PlannerMemory } from '../plan/memory.ts';
import type { Plan } from '../plan/plan.ts';
import type { Policy } from '../plan/policy.ts';
import { poolRecordOf } from '../plan/pool-record.ts';
import { remember, rememberCreation, rememberDestroy, rememberWrite } from '../plan/remember.ts';
import { isTimeForTemplates, templateRecords, wantedTemplates } from '../plan/service-templates.ts';
import type { Snapshot } from '../plan/snapshot.ts';
import { type GateLook, isActive } from '../rollout/rollout-input.ts';
import { Bell } from './bell.ts';
import { type ActionOutcome, execute } from './execute.ts';
import type { ExecuteInput, Failpoint } from './execute-input.ts';
import { keepPoolRecord } from './keep-pool-record.ts';
import { keepTemplates } from './keep-templates.ts';
import { observe } from './observe.ts';
import { StatusPublisher } from './publish-status.ts';
import { QuarantineLog } from './quarantine-log.ts';
import { SlowCalls } from './slow-calls.ts';

/** What of a logger is used. */
export interface ControllerLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface LeadOptions {
  client: RegistryClient;
  provider: MachineProvider;
  clock: Clock;
  log: ControllerLog;
  /** Unique among controllers. */
  id: string;
  clusterId: string;
  policy: Policy;
  /** ZooKeeper connect string with chroot, for the agents of new machines. */
  registry: string;
  /** Rights in the registry; absent where everybody may do everything. */
  access?: RegistryAccess;
  /** Registrations with loopback addresses are valid: the local environment. */
  allowLoopback: boolean;
  failpoint?: Failpoint;
  /** Makes UUIDs; a simulation makes its own. */
  newId?: () => string;
  /** What the gateways counted of a service's versions; null: nothing to be had. Absent: rollouts are not judged by figures. */
  readFigures?: ReadFigures;
  /** The requests under way at the gateways; null: nothing to be had. Absent: who goes first is chosen without them. */
  readInFlight?: (
    gateways: readonly GatewayRecord[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, number> | null>;
  /** What is known of the documents of new versions, and when more is: absent, they are not compared. */
  lookAtDocuments?: (
    snapshot: Snapshot,
    rollouts: readonly RolloutRecord[],
    news: () => void,
  ) => ReadonlyMap<string, GateLook>;
  /** Called with each plan before it is executed, and with what became of it: a simulation looks over the leader's shoulder. */
  onPlan?: (plan: Plan) => void;
  onSweep?: (plan: Plan, outcomes: ActionOutcome[]) => void;
}

/** Never rejects; must answer within a second or so, as a sweep waits for it. */
type ReadFigures = (
  gateways: readonly GatewayRecord[],
  services: readonly string[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, readonly VersionFigures[]> | null>;

/** Nodes whose changes say "look again". What is lost on the way is made up for by the timer. */
const watched = [
  paths.desired,
  paths.rollouts,
  paths.suspended,
  paths.machines,
  paths.services,
  paths.gateways,
  paths.configs,
];
/** ms between two looks where nothing happens, and where a rollout waits for time to pass. */
const slowMs = 2_000;
const rolloutMs = 1_000;
/** ms that a burst of events has to become one look. */
const gatherMs = 20;
const backoff = { initialMs: 200, maxMs: 15_000 };
const trimMs = 60_000;
const parallelCalls = 8;

/** Leads until the term's signal aborts or the epoch is lost. */
export async function leadTerm(options: LeadOptions, term: LeaderTerm): Promise<void> {
  const { clock, provider, log } = options;
  const bell = new Bell();
  const stopHints = provider.events(() => bell.ring());
  const leader = new Leader(options, term, () => bell.ring());
  let watches: WatchHandle[] = [];
  log.info({ epoch: term.epoch }, 'leading');
  try {
    watches = await watchAll(options.client, () => bell.ring(), term.signal);
    for (let failures = 0; !term.signal.aborted; ) {
      bell.reset();
      const ended = await leader.sweep();
      if (ended === 'epoch-lost') return;
      failures = ended === 'failed' ? failures + 1 : 0;
      if (failures > 0) await pause(clock, backoffDelay(backoff, failures - 1, 1), term.signal);
      else await rungOrPause(bell, clock, leader.restMs, term.signal);
    }
  } finally {
    stopHints();
    await leader.settled();
    await Promise.all(watches.map((watch) => watch.close().catch(() => {})));
    log.info({ epoch: term.epoch }, 'leading no more');
  }
}

function watchAll(client: RegistryClient, look: () => void, signal: AbortSignal): Promise<WatchHandle[]> {
  return Promise.all(watched.map((path) => client.addWatch(path, 'persistent-recursive', look, { signal })));
}

/** Waits for the bell and a moment more, or for the slow timer. */
async function rungOrPause(bell: Bell, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  await Promise.race([bell.rung, pause(clock, ms, AbortSignal.any([signal, over.signal]))]);
  over.abort();
  await pause(clock, gatherMs, signal);
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return clock.sleep(ms, signal).catch(() => {});
}

class Leader {
  readonly #options: LeadOptions;
  readonly #term: LeaderTerm;
  readonly #status: StatusPublisher;
  readonly #quarantine: QuarantineLog;
  readonly #input: ExecuteInput;
  /** Asks for another sweep. */
  readonly #look: () => void;
  #memory: PlannerMemory;
  #trimmedAt: number;
  #generation: number | null = null;
  /** As the provider last said. */
  #templates: Snapshot['templates'];
  /** A rollout is under way. */
  #isRolling = false;
  /** When time alone takes something further, by the monotonic clock. */
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(options: LeadOptions, term: LeaderTerm, look: () => void) {
    const { client, provider, clock, id, clusterId, registry, access, failpoint } = options;
    this.#options = options;
    this.#term = term;
    this.#look = look;
    this.#memory = freshMemory({ clusterId, now: clock.monotonic() });
    this.#trimmedAt = clock.monotonic();
    const { name, facts = {}, capabilities, memory } = provider;
    const shared = { ...(capabilities.sharedHost ? { sharedHost: true } : {}), ...(memory ? { memory } : {}) };
    const words = { name, facts, ...shared };
    this.#quarantine = new QuarantineLog(client, clock, { id, epoch: term.epoch });
    this.#status = new StatusPublisher(client, clock, { id, epoch: term.epoch, provider: words });
    this.#input = {
      client,
      provider,
      clock,
      epoch: term.epoch,
      clusterId,
      actor: `controller:${id}`,
      registry,
      access,
      slowCalls: new SlowCalls(parallelCalls),
      listener: this.#listener(look),
      signal: term.signal,
      failpoint,
    };
  }

  /** One look, plan and execution. Never rejects, but with what no controller may go on after. */
  async sweep(): Promise<'done' | 'failed' | 'epoch-lost'> {
    const { log } = this.#options;
    try {
      await this.#sweep();
      return 'done';
    } catch (error) {
      if (this.#term.signal.aborted || isMcpError(error, 'EPOCH_LOST')) return 'epoch-lost';
      if (!(error instanceof McpError)) throw error;
      log.error({ code: error.code, ...error.details }, error.message);
      await this.#tellFailure(error);
      return 'failed';
    }
  }

  /** Why nothing happens, where the CLI can read it. */
  async #tellFailure({ code, message }: McpError): Promise<void> {
    const words = {
      waiting: [{ what: 'everything', cause: 'error' as const, why: message }],
      alarms: [{ code, message }],
    };
    const told = this.#status.publish({ generation: this.#generation, ...words }, this.#term.signal);
    await told.catch(() => {});
  }

  /** The longest pause before the next look, ms. */
  get restMs(): number {
    const left = Math.max(0, this.#dueAt - this.#options.clock.monotonic());
    return Math.min(this.#isRolling ? rolloutMs : slowMs, left);
  }

  settled(): Promise<void> {
    return this.#input.slowCalls.settled();
  }

  async #sweep(): Promise<void> {
    const { clock, policy, newId = randomUUID, onPlan, onSweep } = this.#options;
    const { signal } = this.#term;
    const snapshot = { ...(await observe({ ...this.#options, signal })), templates: this.#templates };
    const now = clock.monotonic();
    this.#memory = remember(this.#memory, snapshot, policy, now);
    const rolling = Object.values(snapshot.rollouts).filter(({ record }) => isActive(record));
    this.#isRolling = rolling.length > 0;
    const figures = await this.#figures(snapshot, rolling);
    const gates = this.#options.lookAtDocuments?.(
      snapshot,
      rolling.map(({ record }) => record),
      this.#look,
    );
    const inFlight = await this.#inFlight(snapshot);
    const plan = makePlan(snapshot, this.#memory, policy, { now, newId, figures, gates, inFlight });
    this.#dueAt = now + (plan.dueMs ?? Number.POSITIVE_INFINITY);
    onPlan?.(plan);
    const outcomes = await execute(this.#input, snapshot, plan, {
      quiet: !this.#memory.quietOver,
      mustSee: now - this.#memory.lastWriteAt < policy.unseenWriteMs ? this.#memory.lastWriteZxid : 0,
    });
    this.#report(plan, outcomes);
    onSweep?.(plan, outcomes);
    if (snapshot.desired) {
      const { environment } = snapshot.desired.record;
      const wanted = wantedTemplates(environment);
      const isTime = isTimeForTemplates(snapshot, plan, this.#memory, now);
      this.#templates = await keepTemplates(this.#options, wanted, isTime, signal);
      const templates = templateRecords(environment, this.#templates, this.#options.provider.name);
      const record = poolRecordOf(this.#memory, snapshot.desired.record, snapshot.at);
      await keepPoolRecord(this.#input, snapshot, { ...record, ...(templates.length > 0 ? { templates } : {}) });
    }
    await this.#status.publish(plan, signal, { ...quotaOf(snapshot), ...missingOf(snapshot) });
    this.#generation = plan.generation;
    await this.#quarantine.tell(snapshot, signal);
    await this.#trim(signal);
  }

  async #figures({ gateways }: Snapshot, rolling: readonly Versioned<RolloutRecord>[]) {
    const { readFigures } = this.#options;
    const services = rolling.filter(({ record }) => record.settings.analysis).map(({ record }) => record.service);
    if (!readFigures || services.length === 0) return undefined;
    return (await readFigures(gateways, services, this.#term.signal)) ?? undefined;
  }

  async #inFlight(snapshot: Snapshot) {
    const { readInFlight } = this.#options;
    if (!readInFlight || !hasSurplus(snapshot)) return undefined;
    return (await readInFlight(snapshot.gateways, this.#term.signal)) ?? undefined;
  }

  #report(plan: Plan, outcomes: readonly ActionOutcome[]): void {
    const { log } = this.#options;
    for (const { action, result, error } of outcomes) {
      const { record: _, redeclare: __, ...words } = { record: null, redeclare: null, ...action };
      const facts = {
        ...words,
        epoch: plan.epoch,
        result,
        ...(error ? { code: error.code, problem: error.message } : {}),
      };
      if (result === 'done') log.info(facts, action.kind);
      else log.warn(facts, `${action.kind}: ${result}`);
    }
  }

  #listener(look: () => void): ExecuteInput['listener'] {
    const { clock, policy } = this.#options;
    return {
      wrote: (zxid) => {
        this.#memory = rememberWrite(this.#memory, zxid, clock.monotonic());
      },
      created: (result) => {
        this.#memory = rememberCreation(this.#memory, result, policy, clock.monotonic());
        look();
      },
      destroyAsked: (uuid) => {
        this.#memory = rememberDestroy(this.#memory, uuid, clock.monotonic());
      },
    };
  }

  async #trim(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    if (clock.monotonic() - this.#trimmedAt < trimMs) return;
    this.#trimmedAt = clock.monotonic();
    await trimEvents(client, undefined, { signal });
    await trimEnded(client, { signal });
  }
}

/** What of the provider's quota there is, for people who plan: they can't ask it. */
function quotaOf({ limits, machines, provider }: Snapshot): Pick<ProviderRecord, 'machines'> {
  if (!limits) return {};
  const known = new Set(machines.map(({ record }) => record.uuid));
  const ours = provider.filter(({ uuid }) => known.has(uuid)).length;
  return { machines: { limit: limits.machines.limit, others: Math.max(0, limits.machines.used - ours) } };
}

function missingOf({ missingImages = {} }: Snapshot): Pick<ProviderRecord, 'missingImages'> {
  return Object.keys(missingImages).length === 0 ? {} : { missingImages };
}
