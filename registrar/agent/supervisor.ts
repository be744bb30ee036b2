/** One run of a service's command: started without a shell and with a clean environment, logged, stopped in good order. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { Version } from '../../specs/nouns.ts';
import type { Clock } from '../clock.ts';

export interface ServiceExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ServiceRun {
  readonly pid: number;
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<ServiceExit>;
  /** Resolves when its last output was logged, or shortly after its end (its children may hold the pipes open for ever). */
  readonly outputEnded: Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `timeoutMs`. Resolves when it is gone. */
  stop(timeoutMs: number): Promise<ServiceExit>;
}

export interface ServiceStart {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  /** Hears its output. */
  log: { write(chunk: Buffer): void };
  clock: Clock;
}

/** How long output may still come after the process's end, ms. */
const lastOutputMs = 200;

/**
 * Starts the command. It stays in the agent's process group: who kills the machine's group kills the service too.
 * Errors: SERVICE_NOT_STARTED (no such program, not executable).
 */
export async function startService(start: ServiceStart): Promise<ServiceRun> {
  const [program, ...args] = start.command;
  if (program === undefined) throw notStarted('the command is empty');
  const child = trySpawn(program, args, start);
  const exited = new Promise<ServiceExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const outputEnded = exited.then(() => Promise.race([closed, start.clock.sleep(lastOutputMs)]));
  child.stdout.on('data', (chunk: Buffer) => start.log.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => start.log.write(chunk));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(notStarted(error.message, error)));
  });
  // A signal that can't be delivered is reported as 'error' too; the exit tells all there is to know.
  child.on('error', () => {});
  let running = true;
  void exited.then(() => {
    running = false;
  });
  return {
    pid: child.pid ?? 0,
    exited,
    outputEnded,
    signal: (signal) => void child.kill(signal),
    async stop(timeoutMs) {
      child.kill('SIGTERM');
      const patience = new AbortController();
      const outOfPatience = start.clock.sleep(timeoutMs, patience.signal).then(
        () => running && child.kill('SIGKILL'),
        () => false,
      );
      const exit = await exited;
      patience.abort();
      await outOfPatience;
      return exit;
    },
  };
}

function trySpawn(program: string, args: string[], { cwd, env }: ServiceStart) {
  try {
    return spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: false, shell: false });
  } catch (error) {
    // Arguments that no process can be given, such as a NUL in a string.
    throw notStarted(error instanceof Error ? error.message : String(error), error);
  }
}

function notStarted(why: string, cause?: unknown): McpError {
  return new McpError('SERVICE_NOT_STARTED', `the command could not be started: ${why}`, {
    cause,
    hint: 'See that the command is in the artifact (with a leading ./) or on the PATH, and executable.',
  });
}

/** For people: `exited with code 1`, `was ended by SIGKILL`. */
export function describeExit(exit: ServiceExit): string {
  return exit.signal ? `was ended by ${exit.signal}` : `exited with code ${exit.code}`;
}

/**
 * The service's whole environment. Of the agent's own only PATH and LANG come through; what the version declares wins over
 * them, and what MCP tells the service wins over both.
 */
export function serviceEnvironment(options: {
  service: string;
  version: Version;
  machine: string;
  address: string;
  /** Where it shall listen, if not at the address itself. */
  bindAddress?: string;
  dir: string;
  agentEnv: Readonly<Record<string, string | undefined>>;
  config: Record<string, string>;
}): Record<string, string> {
  const { service, version, machine, address, bindAddress = address, dir, agentEnv, config } = options;
  const path = agentEnv.PATH ?? '/usr/local/bin:/usr/bin:/bin';
  return {
    // The agent's own node comes first, so that `node` is the version the agent was made for.
    PATH: `${dirname(process.execPath)}:${path}`,
    HOME: dir,
    TMPDIR: join(dir, 'tmp'),
    LANG: agentEnv.LANG ?? 'C.UTF-8',
    ...version.env,
    ...config,
    MCP_SERVICE: service,
    MCP_VERSION: version.version,
    MCP_MACHINE: machine,
    MCP_ADDRESS: address,
    MCP_STARTED_BY: 'agent',
    ADDRESS: bindAddress,
    HOST: bindAddress,
    PORT: String(version.port),
  };
}
