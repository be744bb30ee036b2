/** A TCP proxy on 127.0.0.1 that a test can make misbehave: cut, refuse, freeze, delay, swallow replies. */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

type Way = 'requests' | 'replies';

export class TcpProxy {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<{ client: Socket; target: Socket }>();
  #refusing = false;
  #delayMs = 0;
  readonly #frozen = new Set<Way>();
  readonly #dropped = new Set<Way>();
  /** Chunks kept back while frozen, with how to pass them on. */
  #held: (() => void)[] = [];

  /** Connections made so far. */
  connections = 0;
  /** Bytes swallowed by `drop` since it was called. */
  droppedBytes = 0;

  constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', (client) => this.#accept(client));
  }

  /** Listens on a free port and passes on to `targetPort`. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, targetPort);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections; new ones are let in. */
  cut(): void {
    for (const { client, target } of this.#pairs) {
      client.resetAndDestroy();
      target.destroy();
    }
  }

  /** Breaks all connections, and each new one at once, until `heal`. */
  refuse(): void {
    this.#refusing = true;
    this.cut();
  }

  /** Half-open: connections stay up (new ones are let in), but nothing passes that way until `heal`. */
  freeze(...ways: Way[]): void {
    for (const way of ways) this.#frozen.add(way);
  }

  /** Bytes going that way vanish until `heal`. The connection is good for nothing afterwards: cut it. */
  drop(way: Way): void {
    this.droppedBytes = 0;
    this.#dropped.add(way);
  }

  /** Each chunk is passed on that much later. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Back to passing everything on at once, what was held back first. */
  heal(): void {
    this.#refusing = false;
    this.#delayMs = 0;
    this.#frozen.clear();
    this.#dropped.clear();
    const held = this.#held;
    this.#held = [];
    for (const pass of held) pass();
  }

  async stop(): Promise<void> {
    this.refuse();
    this.#held = [];
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.connections += 1;
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const target = connect(this.#targetPort, '127.0.0.1');
    const pair = { client, target };
    this.#pairs.add(pair);
    this.#pass(client, target, 'requests');
    this.#pass(target, client, 'replies');
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
  }

  #pass(from: Socket, to: Socket, way: Way): void {
    const write = (chunk: Buffer) => {
      if (!to.destroyed) to.write(chunk);
    };
    from.on('data', (chunk: Buffer) => {
      if (this.#dropped.has(way)) this.droppedBytes += chunk.length;
      else if (this.#frozen.has(way)) this.#held.push(() => write(chunk));
      else if (this.#delayMs > 0) setTimeout(write, this.#delayMs, chunk);
      else write(chunk);
    });
  }
}
