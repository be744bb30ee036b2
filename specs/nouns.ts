/**
 * The nouns of the declared world, resolved: defaults filled in, durations in milliseconds, artifacts content-addressed.
 * This is what a parsed environment file becomes and what /desired holds. Everything here is plain JSON.
 */

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

export interface Service {
  /** [a-z0-9-]{1,40} */
  name: string;
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
  versions: Version[];
}

export interface PoolSpec {
  /** Ready machines kept. */
  size: number;
  /** Image that machines are cloned from; the process provider knows only `process`. */
  image: string;
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

export interface GatewaySpec {
  /** Shown in the merged document. */
  title: string;
  description: string;
}

/** The whole declared world. */
export interface Environment {
  name: string;
  pool: PoolSpec;
  gateway: GatewaySpec;
  services: Service[];
}
