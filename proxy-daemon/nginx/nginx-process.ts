/**
 * The running nginx: started detached, so that it outlives the daemon (P10), found again by its pid file, told to reload,
 * and asked over the listener itself which generation answers.
 */
import { request } from 'node:http';
import type { Clock } from '../../registrar/clock.ts';
import { McpError } from '../../specs/errors.ts';
import { findMaster, findOrphans, isNginx, workersOf } from './nginx-workers.ts';
import type { GatewayPaths } from './paths.ts';
import type { NginxRun } from './run-nginx.ts';
import { runNginx } from './run-nginx.ts';

export interface NginxProcessOptions {
  paths: GatewayPaths;
  listen: { address: string; port: number };
  clock: Clock;
}

/** New workers answer within 100 ms or so; a machine under load may need longer. */
const switchDeadlineMs = 15_000;
const pollMs = 5;

export class NginxProcess {
  readonly #options: NginxProcessOptions;
  /** Generation of each worker that has been seen taking connections. */
  readonly #generations = new Map<number, number>();
  #reloads = 0;

  constructor(options: NginxProcessOptions) {
    this.#options = options;
  }

  /** How often the master was told to read its configuration again. */
  reloads(): number {
    return this.#reloads;
  }

  /** The master's pid, or null where it does not run. */
  master(): number | null {
    return findMaster(this.#options.paths);
  }

  /** `nginx -t` on a file. */
  test(config: string): Promise<NginxRun> {
    return runNginx(['-t', '-q', '-c', config], this.#options.paths.dir);
  }

  /** Starts a master with the current configuration; null: whichever generation that has. Rejects with GATEWAY_NGINX_START. */
  async start(generation: number | null): Promise<void> {
    const { paths } = this.#options;
    for (const orphan of findOrphans(paths)) signal(orphan, 'SIGQUIT');
    const run = await runNginx(['-c', paths.config], paths.dir);
    if (!run.ok) {
      throw new McpError('GATEWAY_NGINX_START', `nginx does not start: ${run.output}`, {
        retryable: true,
        hint: 'Is the port taken by something else? See logs/error.log in the gateway directory.',
      });
    }
    await this.#awaitSwitch(generation, []);
  }

  /** Tells the master to read its configuration again. Gives the workers that this must replace; null where there is no master. */
  reload(): readonly number[] | null {
    const master = this.master();
    if (master === null) return null;
    const old = acceptingWorkers(master);
    if (!signal(master, 'SIGHUP')) return null;
    this.#reloads += 1;
    return old;
  }

  /** All workers there are: leaving ones, and those that lost their master, too. */
  everyWorker(): number[] {
    const master = this.master();
    const own = master === null ? [] : workersOf(master).map(({ pid }) => pid);
    return [...own, ...findOrphans(this.#options.paths)];
  }

  /** Workers that take connections. */
  workers(): number[] {
    const master = this.master();
    return master === null ? [] : acceptingWorkers(master);
  }

  /**
   * Resolves when `generation` answers and none of the `old` workers takes connections any more. Rejects with
   * GATEWAY_RELOAD_FAILED where that does not come about. Null: any generation will do.
   */
  awaitReload(generation: number | null, old: readonly number[]): Promise<void> {
    return this.#awaitSwitch(generation, old);
  }

  /** Takes the workers there are for those of `generation`; leaving ones are older. */
  adopt(generation: number): void {
    const master = this.master();
    for (const { pid, leaving } of master === null ? [] : workersOf(master)) {
      if (!this.#generations.has(pid)) this.#generations.set(pid, leaving ? generation - 1 : generation);
    }
  }

  /** The oldest generation of the workers alive; `current` where only that one is. */
  oldestInFlight(current: number): number {
    const master = this.master();
    const workers = master === null ? [] : workersOf(master);
    const alive = new Set(workers.map(({ pid }) => pid));
    for (const pid of this.#generations.keys()) {
      // Orphans of a killed master count as long as they live.
      if (!alive.has(pid) && !isNginx(pid)) this.#generations.delete(pid);
    }
    return Math.min(current, ...this.#generations.values());
  }

  /** Number of old workers that still finish requests. */
  leaving(): number {
    const master = this.master();
    return master === null ? 0 : workersOf(master).filter(({ leaving }) => leaving).length;
  }

  async #awaitSwitch(generation: number | null, old: readonly number[]): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + switchDeadlineMs;
    let answered = '';
    while (clock.monotonic() < deadline) {
      const accepting = new Set(this.workers());
      if (accepting.size > 0 && !old.some((pid) => accepting.has(pid))) {
        answered = await this.#answeringGeneration();
        if (generation !== null && answered === String(generation)) this.adopt(generation);
        if (generation === null ? answered !== '' : answered === String(generation)) return;
      }
      await clock.sleep(pollMs);
    }
    throw new McpError(
      'GATEWAY_RELOAD_FAILED',
      `nginx did not switch to ${generation === null ? 'the new configuration' : `generation ${generation}`} within ${switchDeadlineMs / 1000} s (${answered || 'nothing'} answers)`,
      { retryable: true, hint: 'See logs/error.log in the gateway directory.' },
    );
  }

  /** What a fresh connection is answered by; empty where nothing answers. */
  #answeringGeneration(): Promise<string> {
    const { address, port } = this.#options.listen;
    return new Promise((resolve) => {
      const asked = request(
        { host: reachable(address), port, path: '/healthz', agent: false, timeout: 1000 },
        (response) => {
          response.resume();
          resolve(String(response.headers['x-mcp-generation'] ?? ''));
        },
      );
      asked.on('timeout', () => asked.destroy());
      asked.on('error', () => resolve(''));
      asked.end();
    });
  }
}

/** What is said where `nginx -t` refuses a configuration. */
export function configRejected(output: string): McpError {
  return new McpError('GATEWAY_CONFIG_REJECTED', `nginx refuses the new configuration: ${output}`, {
    hint: 'The last good one stays. The refused one is nginx.conf.candidate in the gateway directory.',
  });
}

function acceptingWorkers(master: number): number[] {
  return workersOf(master).flatMap(({ pid, leaving }) => (leaving ? [] : [pid]));
}

/** An address at which a listener on `address` can be reached from this machine. */
function reachable(address: string): string {
  return address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
}

/** False where there is no such process. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Ends the nginx of a gateway directory: gracefully, after `graceMs` by force. Touches nothing else. False where none ran. */
export async function endNginx(paths: GatewayPaths, clock: Clock, graceMs: number): Promise<boolean> {
  const master = findMaster(paths);
  const all = [...(master === null ? [] : [master, ...workersOf(master).map(({ pid }) => pid)]), ...findOrphans(paths)];
  if (master !== null) signal(master, 'SIGQUIT');
  for (const orphan of findOrphans(paths)) signal(orphan, 'SIGQUIT');
  const deadline = clock.monotonic() + graceMs;
  while (all.some(isNginx) && clock.monotonic() < deadline) await clock.sleep(20);
  for (const pid of all.filter(isNginx)) signal(pid, 'SIGKILL');
  while (all.some(isNginx)) await clock.sleep(20);
  return all.length > 0;
}
