/**
 * The nouns of the declared world, resolved: defaults filled in, durations in milliseconds, artifacts content-addressed.
 * This is what a parsed environment file becomes and what /desired holds. Everything here is plain JSON.
 */

import type { ChoiceSpec } from './choice.ts';
import type { FrontDoorSpec, ServiceDoorSpec } from './front-door.ts';

/** A value of a service's configuration or environment. */
export type ConfigValue = string | number | boolean;

/** How an instance's health is found out. All durations in ms. */
export interface HealthCheck {
  /** `http`: GET path, 2xx or 3xx is healthy. `tcp`: connect. `command`: exit code 0. `none`: healthy as long as the process runs. */
  kind: 'http' | 'tcp' | 'command' | 'none';
  /** Only for `http`. */
  path?: string;
  /** Only for `command`: argv, run in the artifact's directory with the service's environment. */
  command?: string[];
  intervalMs: number;
  timeoutMs: number;
  /** Consecutive passes until healthy. */
  rise: number;
  /** Consecutive failures until unhealthy. */
  fall: number;
}

/** What a machine fetches before it starts the service. Already content-addressed. */
export interface Artifact {
  /** file: or http(s): URL of a tar, a gzipped tar, or a single file. */
  url: string;
  /** Lower-case hex. */
  sha256: string;
}

/** What runs: everything an agent needs to run one instance of one version. */
export interface Version {
  version: string;
  /** Instances wanted, healthy and registered. */
  count: number;
  /**
   * Share of the service's traffic, relative to the other versions' weights (0 to 100; 0: registered but not routed).
   * Absent on all versions of a service: every instance gets the same share.
   */
  weight?: number;
  artifact?: Artifact;
  /** argv; the working directory is the unpacked artifact. `${PORT}` style substitution is not done: use the environment. */
  command: string[];
  port: number;
  env: Record<string, string>;
  health: HealthCheck;
  /** sha256 over what an instance runs (all of the above but count and weight, plus the service's stop rules): equal digests need no replacement. */
  digest: string;
}

/** How the gateway talks to a service's instances; what is left out is as the gateway does by default. All durations in ms. */
export interface ProxySpec extends ChoiceSpec {
  /** `grpc`: HTTP/2 to the instances. */
  protocol?: 'http' | 'grpc';
  connectTimeoutMs?: number;
  /** Between two writes to an instance. */
  sendTimeoutMs?: number;
  /** Between two reads from it. */
  readTimeoutMs?: number;
  /** Other instances tried after the first failed. */
  retries?: number;
  /** Further tries in percent of all requests; a few a second are always allowed. */
  retryBudget?: number;
  /** True: a POST that was sent may be tried again elsewhere. */
  retryNonIdempotent?: boolean;
  /** An instance at which requests fail is passed over for so long. */
  markDownMs?: number;
  /** A new instance gets its full share after so long. */
  slowStartMs?: number;
}

/** What a service's template is used for. */
export interface WarmSpec {
  /** Machines with it already started that are kept ready, of each version. */
  ready: number;
  /** Sent to it when its machine is claimed and MCP_IDENTITY_FILE is there; absent: none. */
  signal?: 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';
}

/** A number of instances, or a share of them such as `25%`. */
export type Share = number | string;

/** How one version takes another's place. Durations in ms. */
export interface RolloutSettings {
  /** Instances that may run beyond the count meanwhile (percent: rounded up). */
  surge: Share;
  /** Instances that may be missing meanwhile (percent: rounded down). */
  unavailable: Share;
  /** New instances started at a time. */
  batch: Share;
  /** New instances that go first, alone; 0: none. */
  canary: Share;
  /** A new instance must have served without a break for this long before it counts. */
  minHealthyMs: number;
  /** A new instance that does not serve within this has failed. */
  healthyDeadlineMs: number;
  /** Without any progress for this long the rollout has failed. */
  progressDeadlineMs: number;
  /** After the last new instance counts: watched for this long before it is done. */
  bakeMs: number;
  /** Where it holds: once this many new instances count; `forMs` null: until `mcp promote`. */
  pauses: { at: Share; forMs: number | null }[];
  /** After it is done the old instances stay registered at weight 0 for this long, so that undo is a change of weights. */
  undoMs: number;
  /** New instances that may fail before the rollout fails. */
  maxFailures: number;
  /** A rollout that fails goes back by itself; else it holds. */
  autoRollback: boolean;
  /** Judged by the gateway's figures, where there are any; null: not at all. */
  analysis: AnalysisSettings | null;
  /** Why a new version may break callers by its document; null: it may not. */
  allowBreaking: string | null;
}

export interface AnalysisSettings {
  /** Requests that each side must have had before they are compared. */
  minRequests: number;
  /** The share of errors that the new version may have beyond the old one's, 0 to 1. */
  errorTolerance: number;
  /** The share of requests slower than 95 % of the old version's that it may have beyond theirs, 0 to 1. */
  slowTolerance: number;
  /** Longest wait for enough requests to tell, where there are some but too few; then it holds. */
  patienceMs: number;
}

export interface Service extends ServiceDoorSpec {
  /** [a-z0-9-]{1,40} */
  name: string;
  /** Where ready machines are short, services of a higher priority get them first. Absent: 0. */
  priority?: number;
  /** URL prefix at the gateway, e.g. `/dns`. No two services share one. */
  route: string;
  /** Path at which an instance serves its OpenAPI document, e.g. `/openapi.json`; absent: it has none. */
  document?: string;
  /** Distributed by the registry at /config/<service>. */
  config: Record<string, ConfigValue>;
  /** What a change of `config` does to a running instance. `signal` names the signal in `configSignal`. */
  onConfigChange: 'restart' | 'signal' | 'none';
  configSignal?: 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';
  /** The longest wait, ms, for requests in flight while draining before the instance may be stopped anyway. */
  drainTimeoutMs: number;
  /** ms between SIGTERM and SIGKILL. */
  stopTimeoutMs: number;
  proxy?: ProxySpec;
  /** Services whose rollouts come before its own where one apply begins several. Absent: none. */
  after?: string[];
  /** What is declared of it; the rest is `defaultRollout`'s. */
  rollout?: Partial<RolloutSettings>;
  /** Reference of the image that its machines are cloned from (image-reference.ts); absent: the pool's. */
  image?: string;
  /** Its instances come from machines in which it was started before they knew who they are; absent: not so. */
  warm?: WarmSpec;
  versions: Version[];
}

/** What a machine's self-test must show before it may enter the pool. */
export interface VerifyLimits {
  /** Bytes free where the machine works, at least. */
  diskFreeBytes: number;
  /** Bytes written, synced and read back a second, at least. */
  diskBytesPerSecond: number;
  /** Bytes of memory that can still be had, at least. */
  memoryBytes: number;
  /** ms for a fixed piece of work, at most. */
  cpuMs: number;
  /** ms between its clock and the registry's, at most. */
  clockMs: number;
  /** ms for a round trip to the registry, at most. */
  registryMs: number;
  /** Artifact stores that it must reach, of those there are. */
  artifactStores: number;
}

export interface PoolSpec {
  /** Ready machines kept; where the size follows demand, the least. */
  size: number;
  /** Reference of the image that machines are cloned from; the process provider knows only `process`. */
  image: string;
  /** The size follows the most claims within any `windowMs` lately, up to `max`. Absent: it is fixed. */
  demand?: { max: number; windowMs: number };
  /** Ready machines older than this, ms, are replaced, one at a time. Absent: never. */
  maxAgeMs?: number;
  /** What is absent is as MCP's own limits say. */
  verify?: Partial<VerifyLimits>;
  /** The size of its machines; absent: the provider decides. Processes have none. */
  flavor?: Flavor;
}

/** The size of a machine. */
export interface Flavor {
  memoryBytes: number;
  cpus: number;
  /** A disk of its own, gone with the machine; absent: it works in memory. */
  diskBytes?: number;
}

/** How registrants that are not ours write their registrations. */
export type ForeignDialect = 'curator' | 'nerve' | 'serverset';

/** A service whose instances somebody else's software registers. */
export interface ForeignService {
  /** Its name at the gateway. */
  service: string;
  /** The node whose children its instances are, from ZooKeeper's own root. */
  path: string;
  /** Absent: it is one of the declared services, whose instances these stand beside. */
  route?: string;
  /** Absent: it has none, or the declared service says. */
  document?: string;
  /** What the instances are called as a version. */
  version: string;
  /** As a version's. */
  weight?: number;
  /** serverset: name of the additional endpoint to use; absent: the service endpoint. */
  endpoint?: string;
}

/** Where other software registers its instances. The controller never touches these; they count as nobody's machines. */
export interface ForeignRegistry {
  dialect: ForeignDialect;
  /** `host:port,host:port` of another ensemble; absent: our own. */
  connect?: string;
  /** A vanished instance stays routed for this long, ms. */
  graceMs: number;
  services: ForeignService[];
}

export interface GatewaySpec extends FrontDoorSpec {
  /** Shown in the merged document. */
  title: string;
  description: string;
  /** A service's document larger than this is not read. Absent: 2 MiB. */
  largestDocumentBytes?: number;
  registries?: ForeignRegistry[];
  /** `auto`: dynamic where nginx can run Lua, else plain. */
  mode?: 'auto' | 'dynamic' | 'plain';
}

/** One step of an image: its name for people, and in ms the longest that it may take. What it needs is content-addressed. */
export type ImageStep = { title: string; timeoutMs: number } & (
  | { kind: 'run'; script: string }
  | { kind: 'puppet'; manifest: Artifact }
  /** `directory`: what the tar holds lands in `to`. `file`, `program`: `to` is the file. */
  | { kind: 'copy'; content: Artifact; form: 'directory' | 'file' | 'program'; to: string }
);

/** What machines can be cloned from, as declared; baking makes it so. */
export interface ImageSpec {
  /** [a-z0-9-]{1,40} */
  name: string;
  base: 'minimal' | 'debian';
  /** Names of Debian packages, sorted. */
  packages: string[];
  steps: ImageStep[];
  /** sha256 over what is in it: base, packages, the steps with their contents; neither names nor timeouts. */
  digest: string;
}

/** The whole declared world. */
export interface Environment {
  name: string;
  pool: PoolSpec;
  gateway: GatewaySpec;
  /** Declared images; absent: none. */
  images?: ImageSpec[];
  services: Service[];
}
