import { getEventListeners } from 'node:events';
import test from 'ava';
import { systemClock } from '../../registrar/system-clock.ts';

test('a sleep lasts at least as long as asked for and leaves no listener behind', async (t) => {
  const { signal } = new AbortController();
  const start = systemClock.monotonic();
  await systemClock.sleep(20, signal);
  t.true(systemClock.monotonic() - start >= 19);
  t.is(getEventListeners(signal, 'abort').length, 0);
});

test('a sleep rejects with the signal’s reason, at once where it is aborted already', async (t) => {
  const stop = new AbortController();
  const sleep = systemClock.sleep(60_000, stop.signal);
  stop.abort(new Error('enough'));
  await t.throwsAsync(sleep, { message: 'enough' });
  await t.throwsAsync(systemClock.sleep(60_000, stop.signal), { message: 'enough' });
});
