/** What the registry's nodes hold: one JSON document a node. Times are ms since the Unix epoch. */
import type { ConfigValue, Environment, Flavor, Version } from '../specs/nouns.ts';

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

/** /machines/<uuid>: the ledger. */
export interface MachineRecord {
  uuid: string;
  provider: string;
  /** The provider's own id, known once create answered. */
  providerId?: string;
  image: string;
  /** As it was asked for; absent: the provider decided. */
  flavor?: Flavor;
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
  claim?: { service: string; version: string; digest: string; operation: string; at: number };
  /** True once the controller saw its registration up: what is missing now was lost, it did not fail to start. */
  served?: boolean;
  /** Why it drains or is deleted, for people. */
  reason?: string;
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

/** /gateways/<id> (ephemeral) */
export interface GatewayRecord {
  id: string;
  url: string;
  pid: number;
  mode: 'plain' | 'dynamic';
  served: GatewayMark;
  drained: GatewayMark;
  /** Routes served with their instance counts, for people. */
  routes: number;
  instances: number;
  /** True while the last good configuration is kept against what the registry says (P9), with the reason. */
  holding: string;
  /** Registrations left out, at most 20, for people and `mcp why`. */
  rejected: { path: string; reason: string }[];
  at: number;
}

/** /budget/<service> (P2); `_pool` for machines without a service. */
export interface BudgetRecord {
  /** Times of destructions in the window, newest last. */
  destroyed: number[];
  /** How much of `DesiredRecord.allowance` of this generation has been used. */
  generation: number;
  used: number;
}

/** A machine provider, and what people should know of it, by name: `accelerator: tcg`. */
export interface ProviderRecord {
  name: string;
  facts: Record<string, string>;
}

/** /status: what the leader last planned, for people and the CLI; written only when it changed. */
export interface StatusRecord {
  epoch: number;
  leader: string;
  generation: number | null;
  at: number;
  /** Things not done, and what they wait for. */
  waiting: { what: string; why: string }[];
  alarms: { code: string; message: string }[];
  /** Where the leader's machines come from. */
  provider?: ProviderRecord;
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
