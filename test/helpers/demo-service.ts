/** Starts one of the example's services as an agent would: its own process, address and port from the environment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export interface DemoService {
  url: string;
  process: ChildProcess;
  /** Waits until it has written a line that contains the text. */
  said(text: string): Promise<void>;
  /** Ends it with SIGTERM; gives the exit code. */
  end(): Promise<number | null>;
}

export const servicesDirectory = new URL('../../specs/examples/services/', import.meta.url);

/** Starts `directory` on a free port; it is killed when the test ends. */
export async function startDemoService(
  t: ExecutionContext,
  directory: string,
  env: Record<string, string> = {},
): Promise<DemoService> {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: fileURLToPath(new URL(directory, servicesDirectory)),
    env: { PATH: process.env.PATH ?? '', ADDRESS: '127.0.0.1', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => lines.push(line));
  const said = async (text: string) => {
    const signal = AbortSignal.timeout(20_000);
    while (!lines.some((line) => line.includes(text))) await once(output, 'line', { signal });
  };
  await said(' listens on ');
  const address = /listens on (\S+)/.exec(lines.join('\n'))?.[1];
  const end = async () => {
    if (child.exitCode !== null) return child.exitCode;
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(20_000) });
    child.kill('SIGTERM');
    await ended;
    return child.exitCode;
  };
  return { url: `http://${address}`, process: child, said, end };
}
