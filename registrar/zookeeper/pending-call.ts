/**
 * One call's promise: settles once, and rejects with the signal's reason when the caller's AbortSignal fires. Used by the
 * wire client and the fake alike, so that both treat aborted calls the same way.
 */
export class PendingCall<T> {
  readonly promise: Promise<T>;
  #settled = false;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #resolve: (value: T) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** `forget` is called when the signal fires, to take the call out of whatever queue it waits in. */
  constructor(signal?: AbortSignal, forget: () => void = () => {}) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#signal = signal;
    this.#onAbort = () => {
      forget();
      this.reject(signal?.reason);
    };
    if (signal?.aborted) this.reject(signal.reason);
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(value: T): void {
    if (this.#settle()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
