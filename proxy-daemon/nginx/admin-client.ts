/**
 * Talks to nginx's own workers over the unix socket that only this user can reach (nginx/lua/phases/admin.lua). A change of the routes
 * waits for this, so a connection is kept, and spoken to without Node's HTTP client: that takes 0.8 ms of processor time for what takes
 * 0.25 here (decision 0083).
 */
import { McpError } from '../../specs/errors.ts';
import type { AdminAnswer } from './admin-answer.ts';
import { AdminConnection } from './admin-connection.ts';

/** By path of the socket: connections that nobody uses just now, the one used last at the end. */
const free = new Map<string, AdminConnection[]>();
const mostFree = 4;

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
  const length = Buffer.byteLength(body);
  const question = `${method} ${path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: ${length}\r\n\r\n${body}`;
  try {
    return (
      (await askOn(known(socketPath), question)) ?? (await askOn(new AdminConnection(socketPath), question)) ?? nobody()
    );
  } catch (error) {
    return noAnswer(error instanceof Error ? error.message : String(error), error);
  }
}

function known(path: string): AdminConnection | undefined {
  return free.get(path)?.pop();
}

/** Null where there is no connection, or it was closed before it was answered. */
async function askOn(connection: AdminConnection | undefined, question: string): Promise<AdminAnswer | null> {
  const answer = (await connection?.ask(question)) ?? null;
  if (connection?.isOpen) keep(connection);
  return answer;
}

function keep(connection: AdminConnection): void {
  const others = (free.get(connection.path) ?? []).filter(({ isOpen }) => isOpen);
  if (others.length < mostFree) free.set(connection.path, [...others, connection]);
  else connection.end();
}

function nobody(): never {
  throw new Error('it hung up');
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
