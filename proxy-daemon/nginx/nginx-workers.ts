/** nginx's processes as /proc shows them: which master is ours, which workers it has, which of them are leaving. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { GatewayPaths } from './paths.ts';

export interface NginxWorker {
  pid: number;
  /** It takes no new connection any more and ends when its requests have. */
  leaving: boolean;
}

/** The pid of the running master that was started with our configuration, or null. A reused pid is never taken for it. */
export function findMaster(paths: GatewayPaths): number | null {
  const pid = Number(readOrEmpty(paths.pid).trim());
  if (!Number.isInteger(pid) || pid <= 1) return null;
  const title = titleOf(pid);
  return title.startsWith('nginx: master process') && title.includes(` -c ${paths.config}`) ? pid : null;
}

/** Its worker processes, also those that are leaving. */
export function workersOf(master: number): NginxWorker[] {
  const children = readOrEmpty(`/proc/${master}/task/${master}/children`).split(' ').filter(Boolean).map(Number);
  return children.flatMap((pid) => {
    const title = titleOf(pid);
    return title.startsWith('nginx: worker process') ? [{ pid, leaving: title.includes('shutting down') }] : [];
  });
}

/**
 * Workers whose master was killed. They go on serving and hold the port, so no new master can start beside them. Told by
 * their working directory, which is the gateway's own.
 */
export function findOrphans(paths: GatewayPaths): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    if (!titleOf(pid).startsWith('nginx: worker process') || directoryOf(pid) !== paths.dir) return false;
    const parent = Number(/^PPid:\s*(\d+)/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? 0);
    return !titleOf(parent).startsWith('nginx: master process');
  });
}

/** True while the pid is one of nginx's: a dead one's number may be another program's by now. */
export function isNginx(pid: number): boolean {
  return titleOf(pid).startsWith('nginx:');
}

function titleOf(pid: number): string {
  return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

function directoryOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
