/**
 * ZooKeeper's wire encoding: big-endian numbers, length-prefixed strings, buffers and vectors. The reader checks every bound:
 * whatever bytes come, it gives a value or throws REGISTRY_PROTOCOL.
 */
import { registryError } from './errors.ts';

export class JuteWriter {
  #buffer: Buffer;
  #length: number;

  /** `reserve` bytes at the start are left for a header to be filled in later. */
  constructor(reserve = 0, size = 256) {
    this.#buffer = Buffer.alloc(Math.max(size, reserve));
    this.#length = reserve;
  }

  /** What was written so far; shares memory with the writer. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  int(value: number): this {
    this.#length = this.#room(4).writeInt32BE(value, this.#length);
    return this;
  }

  long(value: bigint | number): this {
    this.#length = this.#room(8).writeBigInt64BE(BigInt.asIntN(64, BigInt(value)), this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#length = this.#room(1).writeInt8(value ? 1 : 0, this.#length);
    return this;
  }

  buffer(value: Uint8Array): this {
    this.int(value.length);
    this.#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.int(length);
    this.#room(length).write(value, this.#length);
    this.#length += length;
    return this;
  }

  vector<T>(values: readonly T[], write: (writer: this, value: T) => void): this {
    this.int(values.length);
    for (const value of values) write(this, value);
    return this;
  }

  strings(values: readonly string[]): this {
    return this.vector(values, (writer, value) => writer.string(value));
  }

  #room(extra: number): Buffer {
    const needed = this.#length + extra;
    if (needed > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}

export class JuteReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  int(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  /** A 64-bit number, exact up to 2^53: zxids, times. */
  long(): number {
    const at = this.#take(8);
    return this.#buffer.readInt32BE(at) * 0x1_0000_0000 + this.#buffer.readUInt32BE(at + 4);
  }

  /** A 64-bit number of which every bit counts: session ids. */
  bigLong(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8));
  }

  bool(): boolean {
    return this.#buffer.readInt8(this.#take(1)) !== 0;
  }

  /** A copy; null (length -1) is read as empty. */
  buffer(): Buffer {
    const length = this.#length();
    const at = this.#take(length);
    return Buffer.from(this.#buffer.subarray(at, at + length));
  }

  string(): string {
    const length = this.#length();
    const at = this.#take(length);
    return this.#buffer.toString('utf8', at, at + length);
  }

  /** `minimumBytes` of each value keep a lying count from reserving memory. */
  vector<T>(read: (reader: this) => T, minimumBytes = 4): T[] {
    const count = this.#length();
    if (count * minimumBytes > this.remaining) throw malformed(`a list of ${count} in ${this.remaining} bytes`);
    return Array.from({ length: count }, () => read(this));
  }

  strings(): string[] {
    return this.vector((reader) => reader.string());
  }

  #length(): number {
    const length = this.int();
    if (length < -1) throw malformed(`a length of ${length}`);
    return Math.max(0, length);
  }

  #take(bytes: number): number {
    const at = this.#offset;
    if (bytes > this.remaining) throw malformed(`${bytes} bytes wanted, ${this.remaining} left`);
    this.#offset += bytes;
    return at;
  }
}

function malformed(about: string) {
  return registryError('REGISTRY_PROTOCOL', about);
}
