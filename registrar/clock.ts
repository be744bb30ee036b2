/** Time as an argument: code that waits or stamps takes a Clock, so tests and simulations can own time. */
export interface Clock {
  /** ms since the Unix epoch. For stamps that others read. */
  now(): number;
  /** ms of a clock that never jumps. For durations. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
