/**
 * Asks a gateway for one path again and again until it is routed, as cheaply as there can be: on a connection that is kept as long
 * as the gateway keeps it, with waits that take no processor from those who are measured. In plain mode that shows what clients with kept
 * connections see: nginx's old workers go on with these for 100 ms, beside the new ones that take new connections.
 */
import { connect, type Socket } from 'node:net';

/** Between two questions in the first moments, and later, ms. */
const soonMs = 0.25;
const laterMs = 1;
const firstMomentsMs = 20;

export class Prober {
  readonly #port: number;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));
  #socket: Socket | null = null;
  #heard: ((status: string) => void) | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  /** Resolves with the first 200. */
  async untilRouted(path: string): Promise<void> {
    const began = performance.now();
    while ((await this.status(path)) !== '200') {
      const isFirst = performance.now() - began < firstMomentsMs;
      // A timer has no shorter time than 1 ms. Nothing of this process is waited for meanwhile.
      Atomics.wait(this.#sleeper, 0, 0, isFirst ? soonMs : laterMs);
    }
  }

  /** Of one GET; empty where the gateway hung up. */
  status(path: string): Promise<string> {
    const socket = this.#socket ?? this.#open();
    return new Promise((resolve) => {
      this.#heard = resolve;
      socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect(this.#port, '127.0.0.1').setNoDelay();
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (!isWhole(answer)) return;
      // `HTTP/1.1 200`
      const status = answer.slice(9, 12);
      answer = '';
      this.#heard?.(status);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#socket = null;
      this.#heard?.('');
    });
    this.#socket = socket;
    return socket;
  }
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /^content-length: (\d+)/im.exec(answer)?.[1];
  return length === undefined ? answer.endsWith('\r\n0\r\n\r\n') : answer.length >= end + 4 + Number(length);
}
