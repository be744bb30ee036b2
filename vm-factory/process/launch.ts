/** Starts a machine's process so that it is known by pid and start time before it does anything, whoever dies meanwhile. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { unavailable } from '../provider-errors.ts';

/**
 * The child itself writes who it is, in one step (a symbolic link), and only then becomes the agent: exec changes neither pid
 * nor start time. So there is no moment at which the machine runs and nothing on disk tells; of two starts of one machine
 * one wins; and where the folder is gone or `identity` says `nobody`, it ends at once. Its closing of descriptor 3
 * tells the parent that this is settled.
 */
const introduceItself = `
link=$1; shift
start_time() { shift 19; started=$1; }
read -r stat < /proc/$$/stat || exit 71
start_time \${stat##*) }
ln -s "$$:$started" "$link" 2>/dev/null || exit 72
exec "$@" 3>&-
`;

export interface Launch {
  folder: string;
  identityPath: string;
  /** argv */
  command: string[];
  /** Added to this process's environment. */
  env: Record<string, string>;
}

/** Resolves when the child has introduced itself or failed to: `identityPath` tells. Errors: PROVIDER_UNAVAILABLE (no process). */
export async function launch({ folder, identityPath, command, env }: Launch): Promise<ChildProcess> {
  let log: number | null = null;
  try {
    // Descriptors, not pipes: the machine and its console outlive us.
    log = openSync(join(folder, 'console.log'), 'a');
    const child = spawn('/bin/sh', ['-c', introduceItself, 'machine', identityPath, ...command], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
      env: { ...process.env, ...env },
    });
    await introduced(child);
    child.unref();
    return child;
  } catch (cause) {
    throw unavailable(`the machine's process could not be started: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  } finally {
    if (log !== null) closeSync(log);
  }
}

function introduced(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    const signal = child.stdio[3];
    signal?.once('close', () => resolve());
    // Unread, a stream does not end.
    signal?.once('error', () => {}).on('data', () => {});
  });
}
