/** Where Prometheus asks: a listener of the daemon's own, which is not nginx. Where the daemon is gone, nobody answers: so that is told. */
import { createServer, type Server } from 'node:http';
import type { MetricsSpec } from '../../specs/front-door.ts';

/** The daemon looks a few times a second. */
const looksBetweenTries = 20;

export class MetricsListener {
  readonly #text: () => Promise<string>;
  #spec = '';
  #server: Server | null = null;
  #problem = '';
  /** Looks until it is tried again. */
  #looks = 0;

  /** `text`: the metrics of this moment. */
  constructor(text: () => Promise<string>) {
    this.#text = text;
  }

  /** Listens where it is declared; undefined: nowhere. */
  configure(spec: MetricsSpec | undefined): void {
    const wanted = spec === undefined ? '' : `${spec.address}:${spec.port}`;
    const isRetry = this.#problem !== '' && --this.#looks <= 0;
    if (wanted === this.#spec && !isRetry) return;
    if (wanted !== this.#spec) this.#problem = '';
    this.close();
    this.#spec = wanted;
    if (spec !== undefined) this.#listen(spec);
  }

  /** Why the metrics can't be had; empty where they can. */
  alarm(): string {
    return this.#problem;
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
  }

  #listen({ address, port }: MetricsSpec): void {
    const server = createServer((request, response) => {
      request.resume();
      if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /metrics\n');
        return;
      }
      this.#text().then(
        (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
        () => response.writeHead(500).end(),
      );
    });
    server.on('error', () => {
      this.#problem = `metrics can't be served at ${address}:${port}: is the port taken, or the address not this machine's?`;
      this.#looks = looksBetweenTries;
    });
    server.on('listening', () => {
      this.#problem = '';
    });
    server.listen(port, address);
    this.#server = server;
  }
}
