/** A log file that never grows past its bound, written without ever holding up or failing whoever logs. */
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface LogBounds {
  /** The file is moved to `<path>.1` (replacing the one there) when it would grow past this many bytes. */
  maxBytes: number;
  /** Bytes waiting for a slow disk; what comes beyond is dropped and counted. */
  maxPendingBytes: number;
  /** Bytes of the newest output kept in memory for `tail`. */
  tailBytes: number;
}

const defaultBounds: LogBounds = { maxBytes: 8 * 1024 ** 2, maxPendingBytes: 1024 ** 2, tailBytes: 4096 };

export class RotatingLog {
  readonly #path: string;
  readonly #bounds: LogBounds;
  readonly #echo: ((data: string | Uint8Array) => void) | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #dropped = 0;
  #tail: Buffer = Buffer.alloc(0);
  #writing: Promise<void> | null = null;

  /** `echo` hears all that is written, at once. */
  constructor(path: string, bounds: Partial<LogBounds> = {}, echo?: (data: string | Uint8Array) => void) {
    this.#path = path;
    this.#bounds = { ...defaultBounds, ...bounds };
    this.#echo = echo;
  }

  write(data: string | Uint8Array): void {
    const chunk = Buffer.from(data);
    this.#echo?.(data);
    const tail = Buffer.concat([this.#tail, chunk]);
    this.#tail = tail.subarray(Math.max(0, tail.length - this.#bounds.tailBytes));
    if (this.#pendingBytes + chunk.length > this.#bounds.maxPendingBytes) {
      this.#dropped += chunk.length;
      return;
    }
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = null;
    });
  }

  /** The newest `lines` lines, as text. */
  tail(lines: number): string {
    return this.#tail.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Forgets what `tail` would tell, so that the next start's output is told apart from the last one's. */
  forgetTail(): void {
    this.#tail = Buffer.alloc(0);
  }

  /** Resolves when all that was written is on its way to the disk. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      if (this.#dropped > 0) this.#pending.push(Buffer.from(`[${this.#dropped} bytes of output dropped]\n`));
      const batch = Buffer.concat(this.#pending);
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#dropped = 0;
      // A full or broken disk must stop neither the service nor the agent: this output is lost, the next may not be.
      await this.#append(batch).catch(() => {});
    }
  }

  async #append(batch: Buffer): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    const file = await open(this.#path, 'a', 0o600);
    try {
      await file.appendFile(batch);
      if ((await file.stat()).size >= this.#bounds.maxBytes) await rename(this.#path, `${this.#path}.1`);
    } finally {
      await file.close();
    }
  }
}
