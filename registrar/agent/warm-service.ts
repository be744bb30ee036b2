/**
 * A service that was started before its machine knew who it is: in a template, whose clones all hold it as it was then. Nobody
 * uses it before its machine is claimed for just this; then it is told who it is and goes on, without a start.
 */
import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson } from '../../specs/canonical-json.ts';
import { McpError } from '../../specs/errors.ts';
import type { Version } from '../../specs/nouns.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { AssignmentRecord } from '../records.ts';
import type { RegistryClient } from '../registry-client.ts';
import { codecs, decode, encode } from '../store/codecs.ts';
import { ArtifactStore, defaultArtifactLimits } from './artifact.ts';
import type { ConsoleVoice } from './console-log.ts';
import { checkHealth } from './health.ts';
import type { HostSide } from './host-side.ts';
import { endLeftovers } from './leftovers.ts';
import { type ConfigValues, configEnvironment, writeConfigFile } from './service-config.ts';
import { identityFile, type MachineIdentity, writeIdentity } from './service-identity.ts';
import { describeExit, type ServiceRun, serviceEnvironment, startService } from './supervisor.ts';

/** What shall run in a template. */
export interface WarmOrder {
  /** The template's name (service-template.ts). */
  template: string;
  service: string;
  version: Version;
  config: ConfigValues;
  /** Sent to the service once it can read who it is. */
  signal?: 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';
}

export interface WarmUp {
  order: WarmOrder;
  /** The machine's directory. */
  dir: string;
  host: HostSide;
  clock: Clock;
  /** Hears the service's output until the service is adopted. */
  voice: ConsoleVoice;
  signal: AbortSignal;
}

/** The longest wait for the service to be healthy, ms. */
const healthyMs = 60_000;
const lookMs = 100;
/** Makes a Node service's random numbers its own in every clone. */
const freshRandom = fileURLToPath(new URL(`fresh-random${extname(import.meta.url)}`, import.meta.url));

export class WarmService {
  readonly order: WarmOrder;
  readonly run: ServiceRun;
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly #dir: string;
  #ended = false;
  #listener: ConsoleVoice;

  private constructor(
    { order, dir, voice }: WarmUp,
    started: { run: ServiceRun; cwd: string; env: Record<string, string> },
  ) {
    this.order = order;
    this.run = started.run;
    this.cwd = started.cwd;
    this.env = started.env;
    this.#dir = dir;
    this.#listener = voice;
    void this.run.exited.then(() => {
      this.#ended = true;
    });
  }

  /**
   * Fetches, starts and checks it until it is healthy.
   * Errors: those of ArtifactStore.fetch, SERVICE_NOT_STARTED, WARM_UP_FAILED; then nothing of it runs any more.
   */
  static async start(up: WarmUp): Promise<WarmService> {
    const { order, dir, host, clock, signal } = up;
    const { version } = order;
    const store = new ArtifactStore(join(dir, 'artifacts'), defaultArtifactLimits, (one) => host.sourceOf(one));
    const work = join(dir, 'work');
    await mkdir(work, { recursive: true });
    const cwd = version.artifact ? await store.fetch(version.artifact, signal) : work;
    const env = await environmentOf(up);
    let warm: WarmService | null = null;
    const log = { write: (chunk: Buffer) => (warm?.hear ?? up.voice).write(chunk) };
    const run = await startService({ command: version.command, cwd, env, log, clock });
    warm = new WarmService(up, { run, cwd, env });
    try {
      await warm.#untilHealthy(up);
      return warm;
    } catch (error) {
      await warm.stop(0, clock);
      throw error;
    }
  }

  get hear(): ConsoleVoice {
    return this.#listener;
  }

  get lives(): boolean {
    return !this.#ended;
  }

  /** Whether it is just what is assigned. */
  isFor({ service, version }: AssignmentRecord): boolean {
    const { order } = this;
    const same = order.version.version === version.version && order.version.digest === version.digest;
    return this.lives && same && order.service === service;
  }

  /** Whether it was started with this configuration. */
  hasConfig(config: ConfigValues): boolean {
    return canonicalJson(config) === canonicalJson(this.order.config);
  }

  /** Tells the service who it is; from now on `output` hears it. */
  async adopt(machine: MachineIdentity, output: ConsoleVoice): Promise<ServiceRun> {
    this.#listener = output;
    const { service, version, signal } = this.order;
    await writeIdentity(this.#dir, { ...machine, service, version: version.version });
    if (signal) this.run.signal(signal);
    return this.run;
  }

  /**
   * Does once, in vain, what follows when it is assigned: code that ran is compiled, and under emulation translated, which takes
   * longer than running it. Nothing of it stays, and nothing is concluded from it: it is checked again when it matters.
   */
  async rehearse(host: HostSide | undefined, client: RegistryClient | null, signal: AbortSignal): Promise<void> {
    const { service, version, config } = this.order;
    const rules = { onConfigChange: 'none', drainTimeoutMs: 0, stopTimeoutMs: 0, want: 'run' } as const;
    const record = { service, version, ...rules, operation: '', epoch: 0 };
    const address = host?.bindAddress ?? '127.0.0.1';
    const look = async () => {
      const { data } = (await client?.get(paths.config(service), { signal })) ?? {};
      if (data) decode(codecs.config, paths.config(service), data);
    };
    await Promise.allSettled([
      checkHealth(version.health, { address, port: version.port, cwd: this.cwd, env: this.env }, signal),
      look(),
      writeIdentity(join(this.#dir, 'tmp'), { machine: '', address: '', service, version: version.version }),
    ]);
    if (!this.isFor(decode(codecs.assignment, '', Buffer.from(encode(codecs.assignment, record))))) return;
    this.hasConfig(config);
  }

  /** Ends it and whatever it started. */
  async stop(timeoutMs: number, clock: Clock): Promise<void> {
    if (this.lives) await this.run.stop(timeoutMs);
    await endLeftovers(null, timeoutMs, clock, this.#dir);
  }

  async #untilHealthy({ order: { version }, host, clock, signal }: WarmUp): Promise<void> {
    const target = { address: host.bindAddress, port: version.port, cwd: this.cwd, env: this.env };
    const deadline = clock.monotonic() + healthyMs;
    let reason = '';
    for (let passes = 0; passes < version.health.rise; ) {
      if (this.#ended) throw failed(`it ${describeExit(await this.run.exited)}${reason && `; ${reason}`}`);
      if (clock.monotonic() > deadline) throw failed(`it was not healthy within ${healthyMs / 1000} s; ${reason}`);
      const result = await checkHealth(version.health, target, signal);
      if (!result.passed) reason = result.reason;
      passes = result.passed ? passes + 1 : 0;
      if (passes < version.health.rise) await clock.sleep(lookMs, signal);
    }
    if (this.#ended) throw failed(`it ${describeExit(await this.run.exited)}`);
  }
}

function failed(why: string): McpError {
  return new McpError('WARM_UP_FAILED', `the service could not be started in a template: ${why}`, {
    hint: 'A service in a template has no address of its own yet, no network partners, and the year is 2020: see the README.',
  });
}

async function environmentOf({ order, dir, host }: WarmUp): Promise<Record<string, string>> {
  const { service, version, config } = order;
  const file = await writeConfigFile(dir, config);
  await mkdir(join(dir, 'tmp'), { recursive: true });
  const env = serviceEnvironment({
    service,
    version,
    machine: '',
    address: '',
    bindAddress: host.bindAddress,
    dir,
    agentEnv: process.env,
    config: { ...configEnvironment(config), MCP_CONFIG_FILE: file, MCP_IDENTITY_FILE: identityFile(dir) },
  });
  // Other programs take no notice of it.
  const options = [`--import=${freshRandom}`, ...(env.NODE_OPTIONS ? [env.NODE_OPTIONS] : [])].join(' ');
  return { ...env, MCP_IN_TEMPLATE: dir, NODE_OPTIONS: options };
}
