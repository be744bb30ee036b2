/** Long-lived processes of a local environment: started detached, found again by pid and start time, never by name. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isSameProcess,
  type ProcessIdentity,
  processesMarked,
  readStartTime,
  signalProcess,
} from '../../registrar/process-identity.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { McpError } from '../../specs/errors.ts';
import type { StatePaths } from './state.ts';

/** Not MCP_STATE, which people export in their shells: a stray sweep must never find a shell. */
const ownerMark = 'MCP_DAEMON_OF';

export interface DaemonSpec {
  /** File-name-safe, unique in the environment: `zookeeper`, `controller-1`. */
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** Where a daemon's output goes. */
export function daemonLog(paths: StatePaths, name: string): string {
  return join(paths.logs, `${name}.log`);
}

function pidFile(paths: StatePaths, name: string): string {
  return join(paths.run, `${name}.json`);
}

/** The running process recorded under this name, or null. A reused pid is not it. */
export async function findDaemon(paths: StatePaths, name: string): Promise<ProcessIdentity | null> {
  const file = pidFile(paths, name);
  if (!existsSync(file)) return null;
  try {
    const identity = JSON.parse(await readFile(file, 'utf8')) as ProcessIdentity;
    return isSameProcess(identity) ? identity : null;
  } catch {
    return null;
  }
}

/** Names that have a pid file, running or not. */
export async function recordedDaemons(paths: StatePaths): Promise<string[]> {
  if (!existsSync(paths.run)) return [];
  return (await readdir(paths.run)).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5));
}

/** Starts the daemon unless it runs already. MCP_DAEMON_OF in its environment marks it as this folder's. */
export async function ensureDaemon(paths: StatePaths, spec: DaemonSpec): Promise<ProcessIdentity> {
  const running = await findDaemon(paths, spec.name);
  if (running) return running;
  try {
    return await startDaemon(paths, spec);
  } catch (cause) {
    throw new McpError('DAEMON_START', `can't start ${spec.name}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
      retryable: true,
      hint: `See that ${spec.command} is there and that ${paths.dir} can be written and its disk is not full.`,
    });
  }
}

async function startDaemon(paths: StatePaths, spec: DaemonSpec): Promise<ProcessIdentity> {
  await mkdir(paths.logs, { recursive: true });
  await mkdir(paths.run, { recursive: true });
  const log = openSync(daemonLog(paths, spec.name), 'a');
  const child = spawn(spec.command, spec.args, {
    cwd: paths.dir,
    detached: true,
    stdio: ['ignore', log, log],
    // Most of what an agent's start takes is compiling: machines that are processes have this from the controller.
    env: { ...process.env, NODE_COMPILE_CACHE: paths.compiled, ...spec.env, [ownerMark]: paths.dir },
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  const identity = { pid: child.pid ?? 0, startTime: readStartTime(child.pid ?? 0) ?? 0 };
  try {
    const file = pidFile(paths, spec.name);
    await writeFile(`${file}.tmp`, JSON.stringify(identity));
    await rename(`${file}.tmp`, file);
  } catch (error) {
    // Unrecorded it would be started again and again beside itself, as on a full disk.
    signalProcess(identity, 'SIGKILL');
    throw error;
  }
  return identity;
}

/** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. A daemon that does not run is no error. */
export async function stopDaemon(paths: StatePaths, name: string, graceMs: number): Promise<boolean> {
  const identity = await findDaemon(paths, name);
  if (identity) await stopProcess(identity, graceMs);
  await rm(pidFile(paths, name), { force: true });
  return identity !== null;
}

/** As `stopDaemon`, for a process known by its identity. */
export async function stopProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  signalProcess(identity, 'SIGTERM');
  if (await gone(identity, graceMs)) return;
  signalProcess(identity, 'SIGKILL');
  if (await gone(identity, 5000)) return;
  throw new McpError('DAEMON_STOP', `process ${identity.pid} does not end`, {
    hint: 'Look at it with ps; it may hang in the kernel.',
  });
}

async function gone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const until = systemClock.monotonic() + withinMs;
  while (isSameProcess(identity)) {
    if (systemClock.monotonic() >= until) return false;
    await systemClock.sleep(20);
  }
  return true;
}

/**
 * Processes whose environment says that they belong to this state folder: what is left when a daemon was killed between
 * starting a child and recording it.
 */
export function strayProcesses(paths: StatePaths): ProcessIdentity[] {
  return processesMarked(`${ownerMark}=${paths.dir}`);
}
