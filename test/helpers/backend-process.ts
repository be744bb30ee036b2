/** An HTTP server in a process of its own, to be killed as a machine dies: `backend-process.ts NAME`. Prints its port. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

export interface BackendProcess {
  port: number;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** Answers everything with its name, after the body was read. */
export async function startBackendProcess(
  t: { teardown(fn: () => Promise<void>): void },
  name: string,
): Promise<BackendProcess> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.teardown(kill);
  const [said] = await once(child.stdout, 'data');
  return { port: Number(String(said)), kill };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end(process.argv[2]));
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.stdout.write(`${typeof address === 'object' && address ? address.port : 0}\n`);
  });
}
