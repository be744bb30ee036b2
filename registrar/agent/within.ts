import type { Clock } from '../clock.ts';

/** Runs `work` with a signal that aborts after `ms` of the clock's time, or with `signal`; the work decides what that means. */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  work: (deadline: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  void clock.sleep(ms, done.signal).then(
    () => late.abort(new DOMException('time ran out', 'TimeoutError')),
    () => {},
  );
  try {
    return await work(signal ? AbortSignal.any([signal, late.signal]) : late.signal);
  } finally {
    done.abort();
  }
}
