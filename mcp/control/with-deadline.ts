import type { Clock } from '../../registrar/clock.ts';
import { McpError } from '../../specs/errors.ts';

/**
 * Runs a call of the provider's that must settle within `ms`. At the deadline its signal aborts and PROVIDER_UNKNOWN is
 * thrown, whether the call obeys or not: it may have worked. When `signal` aborts, its reason is thrown.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const settled = new AbortController();
  const late = new AbortController();
  const timer = clock.sleep(ms, AbortSignal.any([signal, settled.signal])).then(() => {
    const error = new McpError('PROVIDER_UNKNOWN', `the provider gave no answer within ${ms / 1000} s`, {
      retryable: true,
    });
    late.abort(error);
    throw error;
  });
  try {
    return await Promise.race([run(AbortSignal.any([signal, late.signal])), timer]);
  } finally {
    settled.abort();
    timer.catch(() => {});
  }
}
