/** One TCP or TLS connection to one server, in frames. Knows nothing of sessions. */
import type { Socket } from 'node:net';
import { connect as connectTcp, isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import type { Server } from './connect-string.ts';
import type { FrameHandlers } from './frames.ts';
import { FrameReader } from './frames.ts';

/** The server's certificate is always checked, against `ca` or the system's authorities. */
export type RegistryTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'servername'>;

export interface ConnectionHandlers extends FrameHandlers {
  open(): void;
  /** Called exactly once, at last. */
  closed(error: unknown): void;
}

export class Connection {
  /** Chunks that came so far: whether the other side is alive. */
  received = 0;
  readonly #socket: Socket;
  #corked = false;
  #reason: unknown = null;

  constructor(server: Server, tls: RegistryTls | undefined, replyLimitBytes: number, handlers: ConnectionHandlers) {
    const frames = new FrameReader(replyLimitBytes, handlers);
    this.#socket = openSocket(server, tls);
    this.#socket.setNoDelay(true);
    this.#socket.once(tls ? 'secureConnect' : 'connect', () => handlers.open());
    this.#socket.on('data', (chunk) => {
      this.received += 1;
      try {
        if (!this.#socket.destroyed) frames.push(chunk);
      } catch (error) {
        this.destroy(error);
      }
    });
    this.#socket.on('error', (error) => {
      this.#reason ??= error;
    });
    this.#socket.on('end', () => this.destroy(new Error('the server closed the connection')));
    this.#socket.on('close', () => handlers.closed(this.#reason));
  }

  /** Frames sent in one turn of the event loop leave together. */
  send(frame: Buffer): void {
    if (this.#socket.destroyed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  /** Breaks the connection at once; `closed` gets this reason. */
  destroy(reason: unknown): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }
}

function openSocket({ host, port }: Server, tls: RegistryTls | undefined): Socket {
  if (!tls) return connectTcp({ host, port });
  const servername = tls.servername ?? (isIP(host) ? undefined : host);
  return connectTls({ ...tls, host, port, servername, rejectUnauthorized: true, minVersion: 'TLSv1.2' });
}
