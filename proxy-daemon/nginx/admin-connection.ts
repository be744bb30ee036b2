/** One connection to nginx's admin socket, for one question at a time. */
import { connect, type Socket } from 'node:net';
import { type AdminAnswer, AnswerReader } from './admin-answer.ts';

/** Longer than the largest full push takes on a machine under load, ms. */
const longestMs = 20_000;
const hangUps = ['EPIPE', 'ECONNRESET'];

interface Waiting {
  reader: AnswerReader;
  resolve: (answer: AdminAnswer | null) => void;
  reject: (error: unknown) => void;
}

export class AdminConnection {
  readonly path: string;
  readonly #socket: Socket;
  #waiting: Waiting | null = null;
  #answers = 0;
  #error: NodeJS.ErrnoException | null = null;

  constructor(path: string) {
    this.path = path;
    this.#socket = connect({ path });
    this.#socket.on('data', (part) => this.#hear(part));
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.on('timeout', () => this.#socket.destroy(new Error(`no answer in ${longestMs / 1000} s`)));
    this.#socket.on('close', () => this.#closed());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Null where it was closed since the last answer. Rejects where there is no whole answer. */
  ask(question: string): Promise<AdminAnswer | null> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        resolve(null);
        return;
      }
      this.#waiting = { reader: new AnswerReader(), resolve, reject };
      this.#socket.ref();
      this.#socket.setTimeout(longestMs);
      this.#socket.write(question);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #hear(part: Buffer): void {
    const waiting = this.#waiting;
    // A word that nobody asked for: nothing that follows would be an answer.
    if (waiting === null) return void this.#socket.destroy();
    try {
      const read = waiting.reader.push(part);
      if (read === null) return;
      this.#waiting = null;
      this.#answers += 1;
      this.#socket.setTimeout(0);
      // Until the next question it keeps no process alive.
      this.#socket.unref();
      if (!read.isKept) this.#socket.destroy();
      waiting.resolve(read.answer);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #closed(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    // nginx closes a kept one when it likes, and may have done so before it heard the question.
    const hungUp = this.#error === null || hangUps.includes(this.#error.code ?? '');
    if (this.#answers > 0 && waiting?.reader.isEmpty && hungUp) waiting.resolve(null);
    else waiting?.reject(this.#error ?? new Error('the answer was cut off'));
  }
}
