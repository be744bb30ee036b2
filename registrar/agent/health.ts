/** One look at an instance's health, and the loop that turns looks into healthy or not. */
import { execFile } from 'node:child_process';
import { get } from 'node:http';
import { connect } from 'node:net';
import type { HealthCheck } from '../../specs/nouns.ts';
import type { Clock } from '../clock.ts';
import { openHealthWindow, stepHealthWindow } from './health-window.ts';

export interface HealthTarget {
  address: string;
  port: number;
  /** For `command` checks. */
  cwd: string;
  env: Record<string, string>;
}

export type HealthResult = { passed: true } | { passed: false; reason: string };

const passed: HealthResult = { passed: true };
const mostBodyBytes = 64 * 1024;

/** Looks once. Never rejects but with the signal's reason; every failure is a result with its reason. */
export async function checkHealth(
  check: HealthCheck,
  target: HealthTarget,
  signal: AbortSignal,
): Promise<HealthResult> {
  if (check.kind === 'none') return passed;
  const timeout = AbortSignal.timeout(check.timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  const result = await probe(check, target, either).catch((error: unknown): HealthResult => {
    if (timeout.aborted) return failure(check, target, `no answer within ${check.timeoutMs} ms`);
    return failure(check, target, error instanceof Error ? error.message : String(error));
  });
  signal.throwIfAborted();
  return result;
}

function probe(check: HealthCheck, target: HealthTarget, signal: AbortSignal): Promise<HealthResult> {
  switch (check.kind) {
    case 'http':
      return probeHttp(check, target, signal);
    case 'tcp':
      return probeTcp(target, signal);
    case 'command':
      return probeCommand(check, target, signal);
    case 'none':
      return Promise.resolve(passed);
  }
}

function probeHttp(check: HealthCheck, target: HealthTarget, signal: AbortSignal): Promise<HealthResult> {
  return new Promise((resolve, reject) => {
    const request = get(
      // A connection of its own each time: a kept one would tell of the last check's worker, not of who is accepting now.
      { host: target.address, port: target.port, path: check.path ?? '/', agent: false, signal },
      (response) => {
        const status = response.statusCode ?? 0;
        let bytes = 0;
        const finish = () =>
          resolve(status >= 200 && status < 400 ? passed : failure(check, target, `status ${status}`));
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= mostBodyBytes) return;
          // More than is read of any body: the status was there, so it counts.
          finish();
          request.destroy();
        });
        response.on('end', finish);
        response.on('close', () => reject(new Error('the answer broke off')));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
  });
}

function probeTcp(target: HealthTarget, signal: AbortSignal): Promise<HealthResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.address, port: target.port });
    const stop = () => socket.destroy(new Error('given up'));
    signal.addEventListener('abort', stop, { once: true });
    socket.once('connect', () => {
      resolve(passed);
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => signal.removeEventListener('abort', stop));
  });
}

function probeCommand(check: HealthCheck, target: HealthTarget, signal: AbortSignal): Promise<HealthResult> {
  const [program = '', ...args] = check.command ?? [];
  const options = {
    cwd: target.cwd,
    env: target.env,
    signal,
    killSignal: 'SIGKILL',
    maxBuffer: mostBodyBytes,
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) resolve(passed);
      else if (signal.aborted) reject(error);
      else resolve(failure(check, target, `${exitOf(error)}: ${(stderr || stdout).trim().slice(-300)}`));
    });
  });
}

function exitOf(error: Error & { code?: unknown; signal?: unknown }): string {
  return typeof error.code === 'number' ? `exit code ${error.code}` : String(error.signal ?? error.message);
}

function failure(check: HealthCheck, target: HealthTarget, why: string): HealthResult {
  const where = `${target.address}:${target.port}`;
  const what =
    check.kind === 'http'
      ? `GET http://${where}${check.path ?? '/'}`
      : check.kind === 'command'
        ? `command ${(check.command ?? []).join(' ')}`
        : `connect to ${where}`;
  return { passed: false, reason: `health check failed: ${what}: ${why}` };
}

/** While an instance has not been healthy yet it is looked at this often, ms, so that a long interval does not delay its start. */
const startIntervalMs = 100;
/** Where looking takes long (an emulated processor that is busy with the very start), so many times as long passes between. */
const restPerLook = 4;

/**
 * Looks again and again until the signal aborts (then it resolves), and says whenever the verdict changes or, while unhealthy,
 * the reason does.
 */
export async function watchHealth(options: {
  check: HealthCheck;
  target: HealthTarget;
  clock: Clock;
  signal: AbortSignal;
  onVerdict: (verdict: { healthy: boolean; reason: string }) => void;
  /** It was found healthy before: one pass more is enough at first. */
  proven?: boolean;
  look?: typeof checkHealth;
}): Promise<void> {
  const { check, target, clock, signal, onVerdict, proven = false, look = checkHealth } = options;
  let window = openHealthWindow(clock.monotonic());
  if (proven) window = { ...window, passes: check.rise - 1 };
  let reason = '';
  let everHealthy = false;
  while (!signal.aborted) {
    const from = clock.monotonic();
    const result = await look(check, target, signal).catch(() => null);
    if (!result || signal.aborted) return;
    const rest = Math.max(startIntervalMs, restPerLook * (clock.monotonic() - from));
    const before = window.healthy;
    window = stepHealthWindow(window, check, result.passed, clock.monotonic());
    if (!result.passed) {
      const changed = result.reason !== reason;
      reason = result.reason;
      if (before !== window.healthy || (changed && !window.healthy)) onVerdict({ healthy: false, reason });
    } else if (!before && window.healthy) {
      everHealthy = true;
      reason = '';
      onVerdict({ healthy: true, reason });
    }
    const pause = everHealthy ? check.intervalMs : Math.min(check.intervalMs, rest);
    await clock.sleep(pause, signal).catch(() => {});
  }
}
