/** Runs a program of the host for a bake: with all that it starts it is gone when it ends, is called off, or when we die. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';

export interface CommandOptions {
  cwd: string;
  signal: AbortSignal;
  /** Each line that it writes to its outputs. */
  onLine: (line: string) => void;
  /** Becomes its standard input, decompressed. */
  fromZstd?: string;
  /** Gets its standard output, compressed. */
  toZstd?: string;
  /** Exit codes that mean success. */
  successCodes?: readonly number[];
}

/** The kernel ends it when the process that started it dies, however that dies. */
const tiedToUs = ['setpriv', '--pdeathsig', 'KILL', '--'];
/** Fast; what it gives is read once or twice. */
const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Rejects where it fails, with its name and how it ended; with the signal's reason where it was called off. */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<void> {
  const { cwd, signal, onLine, fromZstd, toZstd, successCodes = [0] } = options;
  signal.throwIfAborted();
  const [program = '', ...args] = [...tiedToUs, ...argv];
  const child = spawn(program, args, {
    cwd,
    stdio: [fromZstd === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    // A group of its own: a Ctrl-C is ours to act on, and all that it started can be ended with it.
    detached: true,
    // mke2fs is not on every user's PATH.
    env: { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` },
  });
  const end = () => {
    if (child.pid !== undefined) killGroup(child.pid);
  };
  signal.addEventListener('abort', end, { once: true });
  const flows: Promise<unknown>[] = [];
  for (const input of toZstd === undefined ? [child.stdout, child.stderr] : [child.stderr])
    if (input) createInterface({ input }).on('line', onLine);
  if (toZstd !== undefined && child.stdout)
    flows.push(pipeline(child.stdout, createZstdCompress(level), createWriteStream(toZstd)).catch(endAnd(end)));
  // A program may have read enough before the end.
  if (fromZstd !== undefined && child.stdin)
    flows.push(
      pipeline(createReadStream(fromZstd), createZstdDecompress(), child.stdin).catch(unlessClosed).catch(endAnd(end)),
    );
  const [closed, ...flowed] = await Promise.allSettled([once(child, 'close'), ...flows]);
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  for (const flow of [closed, ...flowed]) if (flow.status === 'rejected') throw flow.reason;
  const [code, ended] = closed.status === 'fulfilled' ? (closed.value as [number | null, string | null]) : [null, null];
  if (code === null || !successCodes.includes(code)) throw new Error(`${argv[0]} ended with ${ended ?? code}`);
}

function endAnd(end: () => void): (error: unknown) => never {
  return (error) => {
    end();
    throw error;
  };
}

function unlessClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
