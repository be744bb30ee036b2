/** A service's start, rehearsed by a machine that has nothing to do. */
import { spawn } from 'node:child_process';
import type { Clock } from '../clock.ts';

/** A claim that comes soon after the machine became ready finds it undisturbed, ms. */
const restMs = 3_000;

/** What most services begin with. */
const script = `
import { createServer } from 'node:http';
import 'node:fs';
import 'node:crypto';
createServer().listen(0, '127.0.0.1', () => process.exit());
`;

/**
 * Starts Node once in vain, as a service would be, after a while of rest. An emulated processor translates whatever runs for the
 * first time, which is most of what a start costs there; the next one finds it translated. Never rejects; the signal ends it.
 */
export async function rehearse(clock: Clock, signal: AbortSignal, start = startNode): Promise<void> {
  await clock.sleep(restMs, signal).catch(() => {});
  if (!signal.aborted) await start(signal);
}

function startNode(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: 'ignore',
      signal,
      killSignal: 'SIGKILL',
    });
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}
