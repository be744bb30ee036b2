import { Worker } from 'node:worker_threads';
import PQueue from 'p-queue';
import { McpError } from '../../specs/errors.ts';
import type { Job, JobResults } from './jobs.ts';

type Answer =
  | { result: JobResults[Job['kind']] }
  | { failure: { code: string; message: string; hint: string; retryable: boolean } };

/**
 * One thread that works on documents, so that no document can hold up the event loop. A job that takes too long or too much
 * memory is ended with the thread, and costs the others only that wait; a new thread is started for the next one.
 */
export class DocumentThread {
  readonly #queue = new PQueue({ concurrency: 1 });
  readonly #timeoutMs: number;
  readonly #heapMb: number;
  #worker: Worker | undefined;
  /** Settled once the worker can be given a job. */
  #started: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: { timeoutMs?: number; heapMb?: number } = {}) {
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#heapMb = options.heapMb ?? 512;
  }

  /**
   * Runs the job; small ones go first. Rejects with what the job throws, DOCUMENT_TOO_COMPLEX where it was ended, or
   * DOCUMENT_CLOSED.
   */
  async run<K extends Job['kind']>(job: Extract<Job, { kind: K }>): Promise<JobResults[K]> {
    const result = await this.#queue.add(() => this.#runAlone(job), { priority: -sizeOf(job) });
    return result as JobResults[K];
  }

  /** Starts the thread before its first job: that takes the caller milliseconds, at a time of its choice. False: it runs. */
  prepare(): boolean {
    if (this.#closed || this.#worker) return false;
    this.#start().unref();
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  async #runAlone(job: Job): Promise<JobResults[Job['kind']]> {
    const closed = () => new McpError('DOCUMENT_CLOSED', 'the document source is closed');
    if (this.#closed) throw closed();
    // Starting takes its time on a busy machine, which is not the job's.
    const worker = this.#worker ?? this.#start();
    worker.ref();
    await this.#started;
    if (this.#closed) throw closed();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        worker.off('message', answered).off('error', broke).off('exit', left);
        worker.unref();
        settle();
      };
      const end = (why: string) => {
        if (this.#worker === worker) this.#worker = undefined;
        finish(() => reject(this.#closed ? closed() : new McpError('DOCUMENT_TOO_COMPLEX', why)));
      };
      const answered = (answer: Answer) =>
        finish(() => {
          if ('result' in answer) return resolve(answer.result);
          const { code, message, hint, retryable } = answer.failure;
          reject(new McpError(code, message, { hint, retryable }));
        });
      const broke = (error: Error) => end(`ended: ${error.message}`);
      const left = () => end('ended while working');
      const timer = setTimeout(() => {
        end(`not done after ${this.#timeoutMs} ms of work`);
        void worker.terminate();
      }, this.#timeoutMs);
      worker.on('message', answered).on('error', broke).on('exit', left);
      worker.postMessage(job);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb },
    });
    this.#worker = worker;
    // An error between two jobs ends the thread; the next job starts another.
    worker.on('error', () => {});
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    this.#started = new Promise((resolve) => worker.once('message', resolve).once('exit', resolve));
    return worker;
  }
}

function sizeOf(job: Job): number {
  if (job.kind === 'normalise') return job.bytes.byteLength;
  if (job.kind === 'publish') return 0;
  if (job.kind === 'compare') return job.live.byteLength + job.next.byteLength;
  if (job.kind === 'answers') return job.pair.answer.body.byteLength + job.pair.copy.body.byteLength;
  return job.versions.reduce((sum, { document }) => sum + document.byteLength, 0);
}
