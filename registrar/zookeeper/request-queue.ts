/** Requests of one session: those waiting for a connection and those on the wire, bounded in number and bytes. */
import { registryError } from './errors.ts';
import type { JuteReader, JuteWriter } from './jute.ts';
import type { ReplyHeader } from './protocol.ts';

export interface Request {
  opcode: number;
  body: JuteWriter;
  /** The caller's path, for errors. */
  path: string;
  /** The reply came: its header, and a reader at its body. May throw REGISTRY_PROTOCOL. */
  reply(header: ReplyHeader, reader: JuteReader): void;
  fail(error: unknown): void;
}

export interface QueueLimits {
  requests: number;
  bytes: number;
}

export class RequestQueue {
  readonly #limits: QueueLimits;
  readonly #waiting = new Set<Request>();
  #onWire: { request: Request; xid: number }[] = [];
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Throws REGISTRY_QUEUE_FULL. */
  add(request: Request): void {
    const size = request.body.bytes().length;
    const full = this.#waiting.size + this.#onWire.length >= this.#limits.requests;
    if (full || this.#bytes + size > this.#limits.bytes) throw registryError('REGISTRY_QUEUE_FULL', request.path);
    this.#bytes += size;
    this.#waiting.add(request);
  }

  /** Takes a request out that still waits; one on the wire stays, since its reply will come. */
  forget(request: Request): void {
    if (this.#waiting.delete(request)) this.#release(request);
  }

  /** Moves everything that waits onto the wire, in order. */
  sendAll(send: (request: Request) => number): void {
    for (const request of this.#waiting) {
      this.#waiting.delete(request);
      this.#onWire.push({ request, xid: send(request) });
    }
  }

  /** The request a reply belongs to. Replies come in order: any other number throws REGISTRY_PROTOCOL. */
  answered(xid: number): Request {
    const next = this.#onWire.shift();
    if (next?.xid !== xid) {
      if (next) this.#onWire.unshift(next);
      throw registryError('REGISTRY_PROTOCOL', `a reply to request ${xid} instead of ${next?.xid ?? 'none'}`);
    }
    this.#release(next.request);
    return next.request;
  }

  /** The connection broke: what was on the wire fails. */
  failOnWire(error: () => unknown): void {
    const lost = this.#onWire;
    this.#onWire = [];
    for (const { request } of lost) this.#release(request);
    for (const { request } of lost) request.fail(error());
  }

  failWaiting(error: () => unknown): void {
    const lost = [...this.#waiting];
    this.#waiting.clear();
    for (const request of lost) this.#release(request);
    for (const request of lost) request.fail(error());
  }

  #release(request: Request): void {
    this.#bytes -= request.body.bytes().length;
  }
}
