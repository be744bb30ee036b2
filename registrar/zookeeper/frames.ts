/** Cuts a byte stream into ZooKeeper's frames: a 32-bit length, then as many bytes. */
import { registryError } from './errors.ts';

export interface FrameHandlers {
  frame(bytes: Buffer): void;
  /** A frame over the limit, of which only the first bytes are given; the rest is skipped. */
  oversize(head: Buffer, length: number): void;
}

/** A reply header: xid, zxid, error. */
const headBytes = 16;
/** Nothing a ZooKeeper server sends is longer; such a length means that it is no ZooKeeper. */
const absurdBytes = 0x1000_0000;

export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #limit: number;
  #length = Buffer.alloc(4);
  #lengthBytes = 0;
  #body: Buffer | null = null;
  #bodyBytes = 0;
  /** Bytes of an oversize frame still to be skipped once its head is complete. */
  #skip = 0;

  constructor(limit: number, handlers: FrameHandlers) {
    this.#limit = limit;
    this.#handlers = handlers;
  }

  /** Throws REGISTRY_PROTOCOL on a length that no server sends; what handlers throw passes through. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#body === null && this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
      } else if (this.#body === null) {
        rest = this.#readLength(rest);
      } else {
        const copied = rest.copy(this.#body, this.#bodyBytes);
        this.#bodyBytes += copied;
        rest = rest.subarray(copied);
      }
      this.#complete();
    }
  }

  #readLength(rest: Buffer): Buffer {
    const copied = rest.copy(this.#length, this.#lengthBytes);
    this.#lengthBytes += copied;
    if (this.#lengthBytes === 4) {
      this.#lengthBytes = 0;
      const length = this.#length.readInt32BE();
      if (length < 0 || length > absurdBytes) throw registryError('REGISTRY_PROTOCOL', `a frame of ${length} bytes`);
      const kept = length > this.#limit ? Math.min(length, headBytes) : length;
      this.#body = Buffer.allocUnsafe(kept);
      this.#bodyBytes = 0;
      this.#skip = length - kept;
    }
    return rest.subarray(copied);
  }

  #complete(): void {
    if (this.#body === null || this.#bodyBytes < this.#body.length) return;
    const body = this.#body;
    this.#body = null;
    if (this.#skip > 0) this.#handlers.oversize(body, body.length + this.#skip);
    else this.#handlers.frame(body);
  }
}
