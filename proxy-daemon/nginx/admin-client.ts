/**
 * Talks to nginx's own workers over the unix socket that only this user can reach (nginx/lua/phases/admin.lua). It speaks no more of
 * HTTP than they do, on a connection that is kept: a change of the routes waits for this.
 */
import { connect, type Socket } from 'node:net';
import { isMcpError, McpError } from '../../specs/errors.ts';

/** Longer than the largest full push takes on a machine under load, ms. */
const longestMs = 20_000;
const hangUps = ['EPIPE', 'ECONNRESET'];

export interface AdminAnswer {
  status: number;
  /** Each line's words. */
  lines: string[][];
}

/** By path of the socket: a connection that nobody uses just now. */
const kept = new Map<string, AdminConnection>();

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
  const known = kept.get(socketPath);
  kept.delete(socketPath);
  try {
    return (
      (await known?.ask(question)) ?? (await new AdminConnection(socketPath).ask(question)) ?? noAnswer('it hung up')
    );
  } catch (error) {
    if (isMcpError(error)) throw error;
    return noAnswer(error instanceof Error ? error.message : String(error), error);
  }
}

class AdminConnection {
  readonly #path: string;
  readonly #socket: Socket;
  #waiting: { resolve: (answer: AdminAnswer | null) => void; reject: (error: Error) => void } | null = null;
  #parts: Buffer[] = [];
  /** Bytes of the answer still to come; null until its head is there. */
  #missing: number | null = null;
  #answers = 0;
  #error: NodeJS.ErrnoException | null = null;

  constructor(path: string) {
    this.#path = path;
    this.#socket = connect({ path });
    this.#socket.on('data', (part) => this.#hear(part));
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.on('timeout', () => this.#socket.destroy(new Error(`no answer in ${longestMs / 1000} s`)));
    this.#socket.on('close', () => this.#closed());
  }

  /** Null where it was closed since the last answer. One at a time. */
  ask(question: string): Promise<AdminAnswer | null> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        resolve(null);
        return;
      }
      this.#waiting = { resolve, reject };
      this.#socket.ref();
      this.#socket.setTimeout(longestMs);
      this.#socket.write(question);
    });
  }

  #hear(part: Buffer): void {
    this.#parts.push(part);
    this.#missing = this.#missing === null ? missingOf(Buffer.concat(this.#parts)) : this.#missing - part.length;
    if (Number.isNaN(this.#missing)) this.#socket.destroy(new Error('the answer does not say how long it is'));
    if (this.#missing === null || !(this.#missing <= 0)) return;
    const bytes = Buffer.concat(this.#parts);
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#parts = [];
    this.#missing = null;
    this.#answers += 1;
    // A word that nobody asked for: nothing that follows would be an answer.
    if (waiting === null || saysClose(bytes) || kept.has(this.#path)) this.#socket.destroy();
    else this.#keep();
    waiting?.resolve(readAnswer(bytes));
  }

  /** Until the next question; it keeps no process alive. */
  #keep(): void {
    kept.set(this.#path, this);
    this.#socket.setTimeout(0);
    this.#socket.unref();
  }

  #closed(): void {
    if (kept.get(this.#path) === this) kept.delete(this.#path);
    const waiting = this.#waiting;
    this.#waiting = null;
    // nginx closes a kept one when it likes, and may have done so before it heard the question.
    const hungUp = this.#error === null || hangUps.includes(this.#error.code ?? '');
    if (this.#answers > 0 && this.#parts.length === 0 && hungUp) waiting?.resolve(null);
    // A count that lacks its end would be a wrong count.
    else waiting?.reject(this.#error ?? new Error('the answer was cut off'));
  }
}

/** Null while even the head is not there; NaN where that does not say how long the answer is. */
function missingOf(bytes: Buffer): number | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const length = /^content-length: *(\d+)/im.exec(bytes.toString('latin1', 0, end))?.[1];
  return end + 4 + Number(length ?? Number.NaN) - bytes.length;
}

function saysClose(bytes: Buffer): boolean {
  return /^connection: *close/im.test(bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n')));
}

function readAnswer(bytes: Buffer): AdminAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  const lines = bytes.toString('utf8', end + 4).split('\n');
  return {
    status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(bytes.toString('latin1', 0, end))?.[1] ?? 0),
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
