/** Answers what nginx asks over a unix socket: what it passes on of /status/explain, and how mirrored answers compare. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { daemonSocketPath, makeSocketDirectory } from './daemon-socket.ts';

/** Questions answered at a time; more are asked to come again. */
const mostAtOnce = 16;

export class ExplainListener {
  readonly #answer: (query: string) => Promise<object>;
  readonly #mirrored: (request: IncomingMessage, response: ServerResponse) => void;
  readonly #path: string;
  #server: Server | null = null;
  #busy = 0;
  #problem = '';

  /** `answer` rejects with EXPLAIN_QUESTION where the query is none. `mirrored`: takes what is posted to /answers. */
  constructor(
    dir: string,
    answer: (query: string) => Promise<object>,
    mirrored: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    this.#path = daemonSocketPath(dir);
    this.#answer = answer;
    this.#mirrored = mirrored;
  }

  open(): void {
    const fail = () => {
      this.#problem = `/status/explain can't be answered: ${this.#path} can't be listened on`;
    };
    try {
      if (!makeSocketDirectory(this.#path)) throw new Error('open to others');
      // Left by a daemon that was killed.
      rmSync(this.#path, { force: true });
    } catch {
      fail();
      return;
    }
    const server = createServer((request, response) => {
      if (request.method === 'POST' && request.url === '/answers') return this.#mirrored(request, response);
      request.resume();
      void this.#serve(request.method ?? '', request.url ?? '', response);
    });
    server.on('error', fail);
    server.listen(this.#path, () => chmodSync(this.#path, 0o666));
    // What is asked ends with the daemon; nobody waits for it to end.
    server.unref();
    this.#server = server;
  }

  /** Why nobody gets an answer; empty where everybody does. */
  alarm(): string {
    return this.#problem;
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
  }

  async #serve(method: string, url: string, response: ServerResponse): Promise<void> {
    if (method !== 'GET' && method !== 'HEAD') return send(response, 405, notAllowed());
    if (this.#busy >= mostAtOnce) return send(response, 503, busy());
    this.#busy += 1;
    try {
      const mark = url.indexOf('?');
      send(response, 200, await this.#answer(mark < 0 ? '' : url.slice(mark + 1)));
    } catch (error) {
      if (isMcpError(error, 'EXPLAIN_QUESTION')) send(response, 400, error);
      else send(response, 500, new McpError('EXPLAIN_FAILED', 'this can not be explained', { hint: 'See /status.' }));
    } finally {
      this.#busy -= 1;
    }
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const words = isMcpError(body) ? { error: { code: body.code, message: body.message, hint: body.hint } } : body;
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(words)}\n`);
}

function notAllowed(): McpError {
  return new McpError('EXPLAIN_METHOD', 'explanations are asked for by GET', { hint: 'Name the method as ?method=.' });
}

function busy(): McpError {
  return new McpError('EXPLAIN_BUSY', 'many are asking', { retryable: true, hint: 'Ask again.' });
}
