import { spawn } from 'node:child_process';
import { readStartTime } from '../../registrar/process-identity.ts';

/** A process that only sleeps, ended with the test. */
export function startSleeper(
  t: { teardown(fn: () => void): void },
  options: { detached?: boolean; env?: Record<string, string> } = {},
): { pid: number; startTime: number } {
  const child = spawn('sleep', ['1000'], {
    stdio: 'ignore',
    detached: options.detached ?? false,
    env: { PATH: process.env.PATH, ...options.env },
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  return { pid, startTime: readStartTime(pid) ?? 0 };
}
