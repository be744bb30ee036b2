/** What the registry's nodes hold: one JSON document a node. Times are ms since the Unix epoch. */
import type { Artifact, ConfigValue, Environment, Flavor, ForeignDialect, Version } from '../specs/nouns.ts';
import type { VersionFigures } from './rollout-records.ts';

/** /cluster */
export interface ClusterRecord {
  id: string;
  format: number;
  createdAt: number;
}

/** /epoch: its znode version is the epoch. */
export interface EpochRecord {
  leader: string;
  at: number;
}

/** /desired and /history/<generation> */
export interface DesiredRecord {
  generation: number;
  author: string;
  reason: string;
  at: number;
  /** sha256 of the environment's canonical JSON. */
  digest: string;
  /**
   * Instances of each service that this generation's author explicitly gave up against the generation before it (P2: "unless
   * an operator said more"): the budget does not slow these down.
   */
  allowance: Record<string, number>;
  environment: Environment;
}

/** /suspended: always there, so that a multi can check its version (P13). */
export interface SuspendedRecord {
  suspended: boolean;
  reason: string;
  by: string;
  at: number;
}

export type MachineState = 'building' | 'verifying' | 'ready' | 'claimed' | 'draining' | 'deleting';

/** One thing that a machine found out about itself. */
export interface SelfTestFigure {
  /** `disk-free`, `disk-speed`, `disk-content`, `memory`, `memory-content`, `cpu`, `clock`, `registry`, `artifact-stores`. */
  name: string;
  /** Null where it could not be found out. */
  value: number | null;
  /** `B`, `B/s`, `ms`, `faults`, `reached`. */
  unit: string;
  /** For `artifact-stores`: how many there are. */
  of?: number;
  /** For people: what was measured, or what went wrong. */
  note?: string;
}

/** What a machine's agent found out about its machine when it joined. */
export interface SelfTestRecord {
  at: number;
  tookMs: number;
  figures: SelfTestFigure[];
}

/** A self-test held against the limits that were declared then. */
export interface VerificationRecord {
  at: number;
  tookMs: number;
  passed: boolean;
  /** `threshold` is the least or the most that passes; null where there is none. */
  checks: (SelfTestFigure & { threshold: number | null; passed: boolean })[];
}

/** Who said a thing of a machine, and why; the reason may be empty. */
export interface OperatorWord {
  by: string;
  reason: string;
  at: number;
}

/** /machines/<uuid>: the ledger. */
export interface MachineRecord {
  uuid: string;
  provider: string;
  /** The provider's own id, known once create answered. */
  providerId?: string;
  image: string;
  /** As it was asked for; absent: the provider decided. */
  flavor?: Flavor;
  /** Service template (service-template.ts) that it was asked to be cloned from; absent: none. */
  template?: string;
  state: MachineState;
  /** Operation id of its creation; the provider keeps it too. */
  operation: string;
  /** Epoch of the last writer. */
  epoch: number;
  /** Known once the provider said it. Registrations of this machine must carry this address. */
  address?: string;
  createdAt: number;
  /** When `state` was entered. */
  changedAt: number;
  claim?: {
    service: string;
    version: string;
    digest: string;
    operation: string;
    at: number;
    /** Its agent had just this started already. */
    warm?: true;
  };
  /** True once the controller saw its registration up: what is missing now was lost, it did not fail to start. */
  served?: boolean;
  /** One artifact of each store that machines fetch from: its self-test tries to reach them. */
  stores?: Artifact[];
  /** When it came to each of its states, and when it was first seen to serve. */
  times?: Partial<Record<MachineState | 'served', number>>;
  /** Its self-test as it was judged, passed or not. */
  verification?: VerificationRecord;
  /** Why it drains or is deleted, for people. */
  reason?: string;
  /** An operator's word: never chosen where instances must go. */
  protected?: OperatorWord;
  /** An operator's word: chosen before all others, and replaced where it is not surplus. */
  toLeave?: OperatorWord;
  /** Written before any destroy (P1). */
  tombstone?: { reason: string; operation: string; at: number };
}

/** /machines/<uuid>/assignment: what the machine's agent is told to run. */
export interface AssignmentRecord {
  service: string;
  /** Everything needed to run it. */
  version: Version;
  document?: string;
  onConfigChange: 'restart' | 'signal' | 'none';
  configSignal?: 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';
  drainTimeoutMs: number;
  stopTimeoutMs: number;
  /** The service's credential in the registry, for this machine alone; absent where everybody may do everything. */
  key?: string;
  /** `drain`: announce draining in the registration, keep serving. `stop`: stop the service, deregister. */
  want: 'run' | 'drain' | 'stop';
  operation: string;
  epoch: number;
}

export type AgentPhase =
  | 'testing'
  | 'idle'
  | 'fetching'
  | 'starting'
  | 'checking'
  | 'serving'
  | 'unhealthy'
  | 'draining'
  | 'stopped'
  | 'failed';

/** /machines/<uuid>/agent (ephemeral). */
export interface AgentRecord {
  machine: string;
  phase: AgentPhase;
  /** Why, for people: the failing check, the artifact's error, the exit code and last log lines. */
  reason: string;
  /** When the phase was entered. */
  at: number;
  service?: string;
  version?: string;
  /** Starts of the command so far, for crash loops. */
  starts: number;
  /** How the service's last run ended, with its last output, where it ended by itself: said on while it is tried again. */
  ended?: string;
  /** While nothing is assigned. */
  selfTest?: SelfTestRecord;
  /** While nothing is assigned: the service template whose service runs here and waits. */
  template?: string;
  /** What runs was adopted from the machine's service template; `starts` counts what came after. */
  warm?: true;
}

/** /ended/<uuid>: a machine that is no more, as the ledger had it last. A bounded number is kept. */
export interface EndedRecord {
  machine: MachineRecord;
  at: number;
  /** Why it ended, for people. */
  reason: string;
}

/** Failures in a row, of an image's machines or of a version's starts. */
export interface FailureCount {
  inARow: number;
  lastReason: string;
}

/** /pool: what the pool's rules must know beyond a leader's time. */
export interface PoolRecord {
  /** By image: machines given up before they were ready. */
  images: Record<string, FailureCount>;
  /** By version digest: starts that failed. */
  starts: Record<string, FailureCount>;
  /** Machines whose failure is counted in one of these. */
  counted: string[];
  /** Claims by minute of the Unix epoch, oldest first; minutes without claims are left out. */
  claims: [minute: number, count: number][];
  /** Time of the newest claim that is counted. */
  countedTo: number;
  /** How often an operator has forgiven all failures. */
  lifted: number;
  /** Where the pool follows demand: its size, and why. */
  size?: { target: number; why: string };
  /** Machines of the provider's that wait, paused, to be made ready; absent where it keeps none. */
  paused?: number;
  /** Of each declared version that shall have one; absent where there is none. */
  templates?: TemplateRecord[];
}

/** How a version's service template is. */
export interface TemplateRecord {
  service: string;
  version: string;
  template: string;
  /** `impossible`: the provider of the machines has no such thing. */
  state: 'ready' | 'making' | 'waiting' | 'failed' | 'impossible';
  /** Why it is not ready; empty where it is. */
  reason: string;
}

/** /services/<service>/<version>/<uuid> (ephemeral): the native dialect. */
export interface RegistrationRecord {
  schema: 1;
  service: string;
  version: string;
  machine: string;
  /** An IP address. */
  address: string;
  port: number;
  /** `draining`: still serves, must get no new request. */
  state: 'up' | 'draining';
  /** Path of its OpenAPI document. */
  document?: string;
  /** Digest of the version it runs. */
  digest?: string;
  /** Where it is: gateways prefer instances of their own zone. [a-z0-9-]{1,40} */
  zone?: string;
  at: number;
}

/** /config/<service> */
export interface ConfigRecord {
  service: string;
  generation: number;
  values: Record<string, ConfigValue>;
}

/**
 * What a gateway says it serves. `asOf` is a zxid: everything committed to the registry up to it is reflected. A
 * registration changed to `draining` at mzxid M gets no new request from a gateway with served.asOf >= M, and has no
 * request in flight there once drained.asOf >= M.
 */
export interface GatewayMark {
  generation: number;
  asOf: number;
}

/** What a gateway says of a service that other software registers. */
export interface ForeignWord {
  service: string;
  version: string;
  dialect: ForeignDialect;
  /** Where it is registered, with the dialect before it. */
  path: string;
  /** Its route; absent where it stands beside a declared service. */
  route?: string;
  /** Instances registered, and those of them that get requests. */
  instances: number;
  routed: number;
  /** Some of those that get none, with what they say of it. */
  out: string[];
  /** Why it can't be read; empty where it can. What was read before stays. */
  problem: string;
}

/** /quarantine/<machine> (ephemeral, a gateway's): this machine's registration is left out. */
export interface QuarantineRecord {
  machine: string;
  /** Its registration. */
  path: string;
  reason: string;
  gateway: string;
  at: number;
}

/** /gateways/<id> (ephemeral) */
export interface GatewayRecord {
  id: string;
  url: string;
  pid: number;
  mode: 'plain' | 'dynamic';
  /** Why this mode. */
  modeReason?: string;
  /** What is amiss though everything is served, such as tables that are nearly full; empty where nothing is. */
  alarm?: string;
  /** HTTPS, and until when its certificate is valid, ms since the Unix epoch; absent: HTTP alone. */
  tls?: { url: string; notAfter: number };
  served: GatewayMark;
  drained: GatewayMark;
  /** Routes served with their instance counts, for people. */
  routes: number;
  instances: number;
  /** True while the last good configuration is kept against what the registry says (P9), with the reason. */
  holding: string;
  /** Registrations left out, at most 20, for people and `mcp why`. */
  rejected: { path: string; reason: string }[];
  /** Services of other registries; absent where none are declared. */
  foreign?: ForeignWord[];
  at: number;
}

/** /released: what operators told gateways to hold no longer (P9). */
export interface ReleasesRecord {
  releases: {
    /** Null: all. */
    service: string | null;
    /** Speaks of what was missing at this zxid. */
    asOf: number;
    by: string;
    reason: string;
    at: number;
  }[];
}

/** /trials: since when versions run side by side with the weights that they have, for reports (mcp ab). */
export interface TrialsRecord {
  trials: {
    service: string;
    versions: { version: string; digest: string; weight: number }[];
    by: string;
    reason: string;
    at: number;
    /** What the gateways had counted by then. */
    baseline: VersionFigures[];
  }[];
}

/** /budget/<service> (P2); `_pool` for machines without a service. */
export interface BudgetRecord {
  /** Times of destructions in the window, newest last. */
  destroyed: number[];
  /** How much of `DesiredRecord.allowance` of this generation has been used. */
  generation: number;
  used: number;
  /** How much of what a rollout gave up (RolloutRecord.givenUp) has been used. */
  rollout?: { operation: string; used: number };
}

/** /events/e_<seq> (P16) */
export interface EventRecord {
  at: number;
  /** `controller:<id>`, `operator:<user>`, `gateway:<id>`, `agent:<uuid>`. */
  actor: string;
  /** Stable kind, e.g. `machine.claimed`. */
  kind: string;
  service?: string;
  version?: string;
  machine?: string;
  message: string;
  reason: string;
  epoch?: number;
  operation?: string;
}
