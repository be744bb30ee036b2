/** What befalls a local environment: the means to kill, freeze and damage its parts. */
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findDaemon } from '../../mcp/local/daemons.ts';
import { ownerOptions, readSecret } from '../../mcp/local/secret.ts';
import { registryOf, statePaths } from '../../mcp/local/state.ts';
import type { StatusView } from '../../mcp/view/status-view.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import type { LoadResult } from './load.ts';
import { instancesOf, type TestEnvironment } from './local-environment.ts';

/** Pid of a running daemon: `controller-1`, `gateway-1`, `zookeeper`, `supervisor`. */
export async function daemonPid(env: TestEnvironment, name: string): Promise<number> {
  const identity = await findDaemon(statePaths(env.dir), name);
  if (!identity) throw new Error(`${name} does not run`);
  return identity.pid;
}

/** Pid of a machine's agent, which leads the machine's process group. */
export async function machinePid(env: TestEnvironment, machine: string): Promise<number> {
  const identity = await readlink(join(statePaths(env.dir).factory, 'machines', machine, 'identity'));
  return Number(identity.split(':')[0]);
}

/** As a power cut in each machine. */
export async function killMachines(env: TestEnvironment, machines: readonly string[]): Promise<void> {
  const pids = await Promise.all(machines.map((machine) => machinePid(env, machine)));
  for (const pid of pids) process.kill(-pid, 'SIGKILL');
}

/** Stops a process (a group where negative) for `ms`, then lets it go on. */
export async function freeze(pid: number, ms: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await pause(ms);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Machines of all instances of a service, or of all services. */
export function machinesOf(status: StatusView, service?: string): string[] {
  const names = service === undefined ? status.services.map(({ name }) => name) : [service];
  return names.flatMap((name) => instancesOf(status, name).map(({ machine }) => machine)).sort();
}

/** Runs with an operator's connection to the environment's registry. */
export async function withRegistry<T>(env: TestEnvironment, use: (client: RegistryClient) => Promise<T>): Promise<T> {
  const auth = readSecret(statePaths(env.dir).secret);
  const client = await connectZooKeeper(registryOf(env.state), { sessionTimeoutMs: 10_000, ...ownerOptions(auth) });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Requests that were answered with an error: a load balancer's or a backend's own. */
export function errorAnswers({ failures }: LoadResult): string[] {
  return failures.filter(({ what }) => /^\d+$/.test(what)).map(({ what, path }) => `${what} ${path}`);
}

/** Kinds of the newest events, oldest first. */
export async function eventKinds(env: TestEnvironment, ...words: string[]): Promise<string[]> {
  const { stdout } = await env.mcp('events', '--json', '--limit', '1000', ...words);
  return (JSON.parse(stdout) as { events: { kind: string }[] }).events.map(({ kind }) => kind);
}
