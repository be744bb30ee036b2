/** QEMU's control protocol (QMP): one JSON document a line over a local socket; answers carry the id of what was asked. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { isMcpError, McpError } from '../../specs/errors.ts';

const qemuVersion = z.object({ major: z.int(), minor: z.int(), micro: z.int() });

const message = z.union([
  z.object({ QMP: z.object({ version: z.object({ qemu: qemuVersion }) }) }),
  z.object({ return: z.unknown(), id: z.number().optional() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number().optional() }),
  z.object({ event: z.string() }),
]);

interface Waiting {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** The longest wait for QEMU's greeting and for each answer, ms: one that was stopped (SIGSTOP) never answers. */
const answerMs = 5_000;

export class QmpClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #lost: McpError | null = null;
  #version = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Connects and ends the greeting. QEMU serves one client of a socket at a time; others wait.
   * Errors: QMP_UNREACHABLE (retryable; `isSilent` tells whether something listens and says nothing).
   */
  static async connect(path: string): Promise<QmpClient> {
    const socket = connect({ path });
    const client = new QmpClient(socket);
    const greeted = new Promise<void>((resolve) => client.#listen(resolve));
    try {
      await within(Promise.race([greeted, client.#broken()]), 'its greeting');
      await client.execute('qmp_capabilities');
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** QEMU's version as it says itself, e.g. `7.2.22`. */
  get version(): string {
    return this.#version;
  }

  /** Errors: QMP_REFUSED (QEMU says no), QMP_UNREACHABLE (no answer: it may have been done). */
  async execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#lost) throw this.#lost;
    this.#asked += 1;
    const id = this.#asked;
    const answered = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { command, resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return within(answered, `an answer to ${command}`).finally(() => this.#waiting.delete(id));
  }

  close(): void {
    this.#lost ??= unreachable('the connection was closed');
    this.#socket.destroy();
  }

  #listen(onGreeting: () => void): void {
    const lines = createInterface({ input: this.#socket, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => this.#hear(line, onGreeting));
    lines.on('error', () => {});
    this.#socket.on('error', (cause) => this.#lose(unreachable(cause.message, cause)));
    this.#socket.on('close', () => this.#lose(unreachable('it closed the connection')));
  }

  #hear(line: string, onGreeting: () => void): void {
    const heard = message.safeParse(safeJson(line));
    if (!heard.success) {
      this.#lose(unreachable(`it said ${JSON.stringify(line.slice(0, 200))}`));
      return;
    }
    if ('QMP' in heard.data) {
      const { major, minor, micro } = heard.data.QMP.version.qemu;
      this.#version = `${major}.${minor}.${micro}`;
      onGreeting();
    }
    if ('QMP' in heard.data || 'event' in heard.data) return;
    const waiting = this.#waiting.get(heard.data.id ?? -1);
    if ('return' in heard.data) waiting?.resolve(heard.data.return);
    else waiting?.reject(refused(waiting.command, heard.data.error.desc));
  }

  #broken(): Promise<never> {
    return new Promise((_, reject) => this.#waiting.set(0, { command: 'connect', resolve: () => {}, reject }));
  }

  #lose(error: McpError): void {
    this.#lost ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#socket.destroy();
  }
}

/** Runs a few commands over a connection of their own. */
export async function withQmp<T>(path: string, body: (qmp: QmpClient) => Promise<T>): Promise<T> {
  const qmp = await QmpClient.connect(path);
  try {
    return await body(qmp);
  } finally {
    qmp.close();
  }
}

/** A command of the human monitor, for what QMP itself lacks. Errors: QMP_REFUSED where it answers anything at all. */
export async function humanCommand(qmp: QmpClient, line: string): Promise<void> {
  const said = await qmp.execute('human-monitor-command', { 'command-line': line });
  if (typeof said === 'string' && said.trim() !== '') throw refused(line, said.trim());
}

async function within<T>(work: Promise<T>, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(unreachable(`no sign of ${what} within ${answerMs} ms`, undefined, { silent: true }));
  }, answerMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function safeJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function refused(command: string, why: string): McpError {
  return new McpError('QMP_REFUSED', `QEMU refused ${command}: ${why}`, {
    hint: "See the machine's console log.",
  });
}

/** Whether QEMU is there and gives no answer, for as long as one is waited for: it hangs. */
export function isSilent(error: unknown): boolean {
  return isMcpError(error, 'QMP_UNREACHABLE') && error.details.silent === true;
}

function unreachable(why: string, cause?: unknown, details: Record<string, unknown> = {}): McpError {
  return new McpError('QMP_UNREACHABLE', `QEMU can't be talked to: ${why}`, {
    cause,
    retryable: true,
    hint: 'The machine may have ended, or hang; it is replaced when it is found dead.',
    details,
  });
}
