/** `mcp down`: stops everything of one state folder, by recorded pids, and removes the folder. Touches nothing else. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { stopNginx } from '../../proxy-daemon/main.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { findDaemon, recordedDaemons, stopDaemon, stopProcess, strayProcesses } from './daemons.ts';
import { type LocalProvider, machineProvider } from './provider.ts';
import { readState, type StatePaths, statePaths } from './state.ts';

/** What was stopped, for people. */
export interface DownReport {
  stopped: string[];
  machines: number;
  removed: boolean;
}

/** The supervisor goes first, or it would start again what is stopped. ZooKeeper goes last. */
const order = ['supervisor', 'controller', 'gateway', 'zookeeper'];

function rank(name: string): number {
  const at = order.findIndex((prefix) => name.startsWith(prefix));
  return at < 0 ? order.length : at;
}

/**
 * Stops daemons, nginx and machines of the folder, then removes it (`keep`: leaves its files). A folder without an
 * environment is left alone. Safe to repeat, also after an `up` that was cut off.
 */
export async function down(dir: string, step: (text: string) => void, { keep = false } = {}): Promise<DownReport> {
  const report: DownReport = { stopped: [], machines: 0, removed: false };
  const state = readState(dir);
  if (!state) return report;
  const paths = statePaths(dir);
  const names = (await recordedDaemons(paths)).sort((a, b) => rank(a) - rank(b));
  for (const name of names.filter((name) => !name.startsWith('zookeeper'))) await stopOne(paths, name, report, step);
  step('nginx');
  await stopNginx(paths.gateway, systemClock);
  step('machines');
  const provider = machineProvider(paths, state);
  report.machines = await destroyAll(provider);
  await provider.emptyStock?.();
  await provider.close();
  for (const name of names.filter((name) => name.startsWith('zookeeper'))) await stopOne(paths, name, report, step);
  for (const stray of strayProcesses(paths)) await stopProcess(stray, 1000);
  if (!keep) {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    report.removed = !existsSync(dir);
  }
  return report;
}

async function stopOne(
  paths: StatePaths,
  name: string,
  report: DownReport,
  step: (text: string) => void,
): Promise<void> {
  if (await findDaemon(paths, name)) step(name);
  if (await stopDaemon(paths, name, 5000)) report.stopped.push(name);
}

async function destroyAll(provider: LocalProvider): Promise<number> {
  const machines = await provider.list();
  await Promise.all(machines.map((machine) => provider.destroy(machine)));
  return machines.length;
}
