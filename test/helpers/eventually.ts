import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `probe` gives something else than undefined, null or false; throws after `withinMs` with what was waited for. */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value as Exclude<T, undefined | null | false>;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(2);
  }
}
