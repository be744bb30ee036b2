/** Talks to nginx's own workers over the unix socket that only this user can reach (nginx/lua/phases/admin.lua). */
import { Agent, type IncomingMessage, request } from 'node:http';
import { McpError } from '../../specs/errors.ts';

/** Longer than the largest full push takes on a machine under load, ms. */
const longestMs = 20_000;
const hangUps = ['EPIPE', 'ECONNRESET'];
/** Connections are kept between questions, since a change of the routes waits for one; unused ones keep no process alive. */
const keeping = new Agent({ keepAlive: true });

export interface AdminAnswer {
  status: number;
  /** Each line's words. */
  lines: string[][];
}

interface Question {
  socketPath: string;
  method: 'GET' | 'POST';
  path: string;
  body: string;
}

/**
 * Rejects with GATEWAY_ADMIN where nginx does not answer, or not to the end. What is asked on a kept connection that proves to be closed
 * is asked once more, and may then have been heard twice: no call minds that, since a message names the generation that it changes.
 */
export async function askAdmin(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body = '',
): Promise<AdminAnswer> {
  const question = { socketPath, method, path, body };
  try {
    return (await ask(question, keeping)) ?? (await ask(question, false)) ?? nobody();
  } catch (error) {
    return noAnswer(error instanceof Error ? error.message : String(error), error);
  }
}

function nobody(): never {
  throw new Error('it hung up');
}

/** Null where a kept connection was closed before it was answered. */
function ask({ socketPath, method, path, body }: Question, agent: Agent | false): Promise<AdminAnswer | null> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': Buffer.byteLength(body), host: 'gateway' };
    const asked = request({ socketPath, method, path, headers, agent, timeout: longestMs }, (response) => {
      readAnswer(response).then(resolve, reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${longestMs / 1000} s`)));
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (asked.reusedSocket && hangUps.includes(error.code ?? '')) resolve(null);
      else reject(error);
    });
    asked.end(body);
  });
}

/** Rejects where it ends early: a count that lacks its end would be a wrong count. */
async function readAnswer(response: IncomingMessage): Promise<AdminAnswer> {
  if (response.headers['content-length'] === undefined) {
    response.destroy();
    throw new Error('the answer does not say how long it is');
  }
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  const lines = Buffer.concat(parts).toString().split('\n');
  return {
    status: response.statusCode ?? 0,
    lines: lines.flatMap((line) => (line === '' ? [] : [line.split(' ')])),
  };
}

/** The rest of the line that begins with `word`, as a number; 0 where there is none. */
export function numberOf({ lines }: AdminAnswer, word: string): number {
  return Number(lines.find(([first]) => first === word)?.[1] ?? 0);
}

function noAnswer(why: string, cause?: unknown): never {
  throw new McpError('GATEWAY_ADMIN', `nginx does not answer its daemon: ${why}`, {
    cause,
    retryable: true,
    hint: 'What was served goes on. See logs/error.log in the gateway directory.',
  });
}
