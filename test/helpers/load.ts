/** Steady keep-alive load: a bounded number of clients, each with one connection, GET and POST in turn. */
import { Agent, request } from 'node:http';

export interface LoadFailure {
  method: string;
  path: string;
  /** Status code, or the error's code such as ECONNRESET. */
  what: string;
  atMs: number;
}

export interface LoadResult {
  requests: number;
  failures: LoadFailure[];
}

export interface Target {
  method: 'GET' | 'POST';
  path: string;
  body?: string;
}

/** Starts the load; `stop` ends it and gives what was seen. A request fails on any status of 500 and more or a broken connection. */
export function startLoad(
  url: string,
  targets: Target[],
  { clients = 8, pauseMs = 2 } = {},
): { soFar: LoadResult; stop(): Promise<LoadResult> } {
  const result: LoadResult = { requests: 0, failures: [] };
  let stopped = false;
  const started = performance.now();
  const loops = Array.from({ length: clients }, async (_, client) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = client; !stopped; turn++) {
      const target = targets[turn % targets.length];
      if (!target) break;
      const what = await once(url, agent, target);
      result.requests++;
      if (what)
        result.failures.push({ method: target.method, path: target.path, what, atMs: performance.now() - started });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    agent.destroy();
  });
  return {
    soFar: result,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      return result;
    },
  };
}

/** Empty on success, else what went wrong. */
function once(url: string, agent: Agent, target: Target): Promise<string> {
  return new Promise((resolve) => {
    const headers = target.body
      ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(target.body) }
      : {};
    const call = request(
      `${url}${target.path}`,
      { agent, method: target.method, headers, timeout: 20_000 },
      (response) => {
        response.resume();
        response.once('end', () => resolve((response.statusCode ?? 0) >= 500 ? String(response.statusCode) : ''));
        response.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      },
    );
    call.once('timeout', () => call.destroy(new Error('timeout')));
    call.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.end(target.body);
  });
}
