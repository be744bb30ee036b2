/** Talks to nginx's own workers over the unix socket that only this user can reach (nginx/lua/phases/admin.lua). */
import { request } from 'node:http';
import { McpError } from '../../specs/errors.ts';

/** Longer than the largest full push takes on a machine under load, ms. */
const longestMs = 20_000;

export interface AdminAnswer {
  status: number;
  /** Each line's words. */
  lines: string[][];
}

/** Rejects with GATEWAY_ADMIN where nginx does not answer. */
export function askAdmin(socketPath: string, method: 'GET' | 'POST', path: string, body = ''): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(unanswered(error));
    const headers = { 'content-length': Buffer.byteLength(body), connection: 'close', host: 'gateway' };
    const asked = request({ socketPath, method, path, headers, agent: false, timeout: longestMs }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', fail);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const lines = text.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')]));
        resolve({ status: response.statusCode ?? 0, lines });
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${longestMs / 1000} s`)));
    asked.on('error', fail);
    asked.end(body);
  });
}

/** The rest of the line that begins with `word`, as a number; 0 where there is none. */
export function numberOf({ lines }: AdminAnswer, word: string): number {
  return Number(lines.find(([first]) => first === word)?.[1] ?? 0);
}

function unanswered(cause: Error): McpError {
  return new McpError('GATEWAY_ADMIN', `nginx does not answer its daemon: ${cause.message}`, {
    cause,
    retryable: true,
    hint: 'What was served goes on. See logs/error.log in the gateway directory.',
  });
}
