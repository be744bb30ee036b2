/** One service version on this machine, from its artifact to its last breath: fetch, configure, start, check, start again. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { canonicalJson } from '../../specs/canonical-json.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import type { AssignmentRecord } from '../records.ts';
import type { InstanceView } from './agent-records.ts';
import type { ArtifactStore } from './artifact.ts';
import { Bell } from './bell.ts';
import { watchHealth } from './health.ts';
import type { HostSide } from './host-side.ts';
import { endLeftovers } from './leftovers.ts';
import { defaultRetryRules, freshPace, type NextTry, nextTry, type RetryRules } from './retry-pace.ts';
import type { RotatingLog } from './rotating-log.ts';
import { type ConfigValues, configEnvironment, writeConfigFile } from './service-config.ts';
import { identityFile, writeIdentity } from './service-identity.ts';
import { describeExit, type ServiceRun, serviceEnvironment, startService } from './supervisor.ts';
import type { WarmService } from './warm-service.ts';

export interface InstanceOptions {
  machine: { uuid: string; address: string; dir: string };
  host?: HostSide;
  assignment: AssignmentRecord;
  /** Runs the assigned version already, and is adopted where it has the service's configuration. */
  warm?: WarmService | null;
  store: ArtifactStore;
  /** Of the service's output. */
  output: RotatingLog;
  clock: Clock;
  log: Logger;
  onView: (view: InstanceView) => void;
  /** Called before a serving instance is stopped for a new configuration: resolves when it may go. */
  leave: (signal: AbortSignal) => Promise<void>;
  retry?: RetryRules;
}

/** What survivors of the service's process get before they are killed, ms. */
const leftoversPatienceMs = 1_000;
/** An adopted service is healthy within this, ms, or is started as any other. */
const adoptedMs = 5_000;
const tailLines = 8;

export class Instance {
  readonly #options: InstanceOptions;
  readonly #retry: RetryRules;
  readonly #ending = new AbortController();
  readonly #configured = new Bell();
  #assignment: AssignmentRecord;
  #config: ConfigValues | null = null;
  #view: InstanceView = { phase: 'fetching', reason: '', starts: 0 };
  /** Called failed, and not healthy since: said so until it is, whatever is being tried. */
  #failed = false;
  /** What went wrong last, and was not made up for since: said while it is tried again, unless there is something newer to say. */
  #trouble = '';
  #life: Promise<void> | null = null;
  /** Not yet adopted, nor ended. */
  #warm: WarmService | null;
  #port: Promise<void> | null = null;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#warm = options.warm ?? null;
    if (this.#warm) this.#view = { phase: 'checking', reason: '', starts: 0, warm: true };
    this.#assignment = options.assignment;
    this.#retry = options.retry ?? defaultRetryRules;
  }

  get assignment(): AssignmentRecord {
    return this.#assignment;
  }

  get view(): InstanceView {
    return this.#view;
  }

  /** Starts its life; it goes on until `stop`. */
  start(): void {
    this.#life ??= this.#live(this.#ending.signal).catch((error: unknown) => {
      if (!this.#ending.signal.aborted) this.#options.log.error({ err: error }, 'the instance loop broke');
    });
  }

  /** The same version under a changed assignment: other timeouts, another wish. */
  update(assignment: AssignmentRecord): void {
    this.#assignment = assignment;
  }

  /** The service's configuration, at first and whenever it changed. Nothing starts before the first. */
  configure(values: ConfigValues): void {
    if (this.#config && canonicalJson(this.#config) === canonicalJson(values)) return;
    this.#config = values;
    this.#configured.ring();
  }

  /** Stops the service (SIGTERM, SIGKILL after the assignment's stopTimeoutMs) and ends this instance for good. */
  async stop(reason: string): Promise<void> {
    this.#ending.abort(new Error('the instance was stopped'));
    await this.#life;
    await this.#endLeftovers();
    this.#show('stopped', reason);
  }

  async #live(signal: AbortSignal): Promise<void> {
    // Meanwhile: both wait for the host. Where it fails that is told, and tried again, when the service is to start.
    this.#openPort(signal).catch(() => {});
    const dir = this.#warm?.cwd ?? (await this.#fetch(signal));
    let pace = freshPace;
    while (!signal.aborted) {
      await this.#firstConfig(signal);
      const started = this.#options.clock.monotonic();
      const end = await this.#runOnce(dir, signal);
      const lastedMs = this.#options.clock.monotonic() - started;
      const reason = end.onPurpose ? undefined : this.#withOutput(end.reason);
      this.#view = { ...this.#view, ended: reason };
      if (reason === undefined || signal.aborted) continue;
      this.#show('starting', reason);
      // A child of the dead may still hold its port.
      await this.#endLeftovers();
      const next = nextTry(pace, lastedMs, this.#retry);
      pace = next.pace;
      await this.#pauseAfter(next, 'starting', reason, signal);
    }
  }

  #endLeftovers(): Promise<void> {
    const { machine, clock } = this.#options;
    return endLeftovers(machine.uuid, leftoversPatienceMs, clock, machine.dir);
  }

  /** The unpacked artifact's directory; tries until it is there. */
  async #fetch(signal: AbortSignal): Promise<string> {
    const { store, machine } = this.#options;
    let pace = freshPace;
    for (;;) {
      this.#show('fetching', this.#view.reason);
      const { artifact } = this.#assignment.version;
      try {
        if (artifact) return await store.fetch(artifact, signal);
        const dir = join(machine.dir, 'work');
        await mkdir(dir, { recursive: true });
        return dir;
      } catch (error) {
        signal.throwIfAborted();
        const hopeless = isMcpError(error) && !error.retryable;
        const next = nextTry(pace, 0, this.#retry, hopeless);
        pace = next.pace;
        await this.#pauseAfter(next, 'fetching', reasonOf(error), signal);
      }
    }
  }

  async #pauseAfter(next: NextTry, phase: InstanceView['phase'], reason: string, signal: AbortSignal): Promise<void> {
    this.#failed ||= next.failed;
    this.#trouble = reason;
    this.#options.log.warn({ reason, nextTryMs: next.delayMs }, 'the instance failed');
    this.#show(phase, reason);
    await this.#options.clock.sleep(next.delayMs, signal).catch(() => {});
  }

  async #firstConfig(signal: AbortSignal): Promise<void> {
    if (!this.#config && !this.#warm) this.#show('starting', 'waiting for its configuration');
    while (!this.#config) await this.#configured.rung(signal);
  }

  /** One run of the process, until it ends or is ended. */
  async #runOnce(cwd: string, signal: AbortSignal): Promise<{ onPurpose: boolean; reason: string }> {
    const { machine, host, output, clock, log } = this.#options;
    const config = this.#config ?? {};
    output.forgetTail();
    const over = new AbortController();
    try {
      const { version } = this.#assignment;
      const adopted = await this.#adopt(config);
      if (!adopted) this.#show('starting', this.#trouble);
      const env = adopted?.env ?? (await this.#environment(config));
      await this.#openPort(signal);
      const run = adopted?.run ?? (await startService({ command: version.command, cwd, env, log: output, clock }));
      log.info({ pid: run.pid, command: version.command }, adopted ? 'service adopted' : 'service started');
      this.#view = { ...this.#view, starts: this.#view.starts + (adopted ? 0 : 1), warm: adopted !== null };
      this.#show('checking', this.#trouble);
      const target = { address: host?.bindAddress ?? machine.address, port: version.port, cwd, env };
      const onVerdict = (verdict: { healthy: boolean; reason: string }) => this.#judge(verdict);
      const health = watchHealth({
        ...{ check: version.health, target, clock, signal: over.signal, onVerdict },
        proven: adopted !== null,
      });
      const replaced = this.#followConfig(run, config, AbortSignal.any([signal, over.signal]));
      const asked = Promise.race([replaced, abortOf(signal), this.#sick(adopted, over.signal)]).then(
        () => 'asked' as const,
      );
      const exit = await Promise.race([run.exited, asked]);
      over.abort();
      await health;
      if (exit === 'asked') {
        const why =
          this.#view.phase === 'checking'
            ? "the template's service was not healthy"
            : 'restarting with a new configuration';
        if (!signal.aborted) this.#show('starting', why);
        const ended = await run.stop(this.#assignment.stopTimeoutMs);
        log.info({ pid: run.pid, ...ended }, 'service stopped');
        return { onPurpose: true, reason: '' };
      }
      // At once: it must be out of the registry before anything else is done about it.
      this.#show('starting', describeExit(exit));
      await run.outputEnded;
      return { onPurpose: false, reason: describeExit(exit) };
    } catch (error) {
      return { onPurpose: false, reason: reasonOf(error) };
    } finally {
      over.abort();
    }
  }

  /** The service of the template, once: with another configuration it is ended, and started as any other. */
  async #adopt(config: ConfigValues): Promise<WarmService | null> {
    const { machine, output, clock, log } = this.#options;
    const warm = this.#warm;
    this.#warm = null;
    if (!warm) return null;
    if (warm.lives && warm.hasConfig(config)) {
      await warm.adopt({ machine: machine.uuid, address: machine.address }, output);
      return warm;
    }
    log.info(
      { lives: warm.lives },
      "the template's service is of no use: it ended, or its configuration is another now",
    );
    await warm.stop(this.#assignment.stopTimeoutMs, clock);
    return null;
  }

  /** Resolves where an adopted service is not healthy soon: what is wrong may be the template's; else it never does. */
  async #sick(adopted: WarmService | null, signal: AbortSignal): Promise<void> {
    if (adopted) await this.#options.clock.sleep(adoptedMs, signal).catch(() => {});
    if (!adopted || signal.aborted || this.#view.phase !== 'checking') return new Promise(() => {});
    this.#options.log.warn(
      { service: adopted.order.service },
      "the template's service is not healthy: it is started anew",
    );
  }

  /** Once: it stays open as long as the machine lives. */
  async #openPort(signal: AbortSignal): Promise<void> {
    const { host } = this.#options;
    this.#port ??= host?.openPort(this.#assignment.version.port, signal) ?? null;
    try {
      await this.#port;
    } catch (error) {
      this.#port = null;
      throw error;
    }
  }

  async #environment(config: ConfigValues): Promise<Record<string, string>> {
    const { machine } = this.#options;
    const file = await writeConfigFile(machine.dir, config);
    await mkdir(join(machine.dir, 'tmp'), { recursive: true });
    const { uuid, address } = machine;
    const { service, version } = this.#assignment;
    await writeIdentity(machine.dir, { machine: uuid, address, service, version: version.version });
    return serviceEnvironment({
      service: this.#assignment.service,
      version: this.#assignment.version,
      machine: machine.uuid,
      address: machine.address,
      bindAddress: this.#options.host?.bindAddress,
      dir: machine.dir,
      agentEnv: process.env,
      config: { ...configEnvironment(config), MCP_CONFIG_FILE: file, MCP_IDENTITY_FILE: identityFile(machine.dir) },
    });
  }

  /** Resolves when the run must be replaced for a new configuration; else goes on until the signal aborts, never resolving. */
  async #followConfig(run: ServiceRun, startedWith: ConfigValues, signal: AbortSignal): Promise<void> {
    let told = canonicalJson(startedWith);
    for (;;) {
      const now = this.#config ?? {};
      if (canonicalJson(now) !== told) {
        told = canonicalJson(now);
        const { onConfigChange, configSignal = 'SIGHUP' } = this.#assignment;
        this.#options.log.info({ onConfigChange }, 'the configuration changed');
        await writeConfigFile(this.#options.machine.dir, now);
        if (onConfigChange === 'signal') run.signal(configSignal);
        if (onConfigChange === 'restart') {
          if (this.#view.phase === 'serving') await this.#options.leave(signal).catch(() => {});
          if (signal.aborted) return new Promise(() => {});
          return;
        }
      }
      const ended = await this.#configured.rung(signal).then(
        () => false,
        () => true,
      );
      if (ended) return new Promise(() => {});
    }
  }

  #judge(verdict: { healthy: boolean; reason: string }): void {
    if (verdict.healthy) {
      this.#failed = false;
      this.#trouble = '';
      this.#show('serving', '');
    } else {
      const served = this.#view.phase === 'serving' || this.#view.phase === 'unhealthy';
      this.#show(served ? 'unhealthy' : 'checking', this.#failed ? this.#view.reason : verdict.reason);
    }
  }

  #show(phase: InstanceView['phase'], reason: string): void {
    const sticky = this.#failed && ['fetching', 'starting', 'checking'].includes(phase);
    this.#view = { ...this.#view, phase: sticky ? 'failed' : phase, reason };
    this.#options.onView(this.#view);
  }

  #withOutput(reason: string): string {
    const tail = this.#options.output.tail(tailLines);
    return tail === '' ? reason : `${reason}; its last output:\n${tail}`;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Resolves when the signal aborts. */
function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
