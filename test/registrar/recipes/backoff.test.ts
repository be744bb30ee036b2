import test from 'ava';
import fc from 'fast-check';
import { backoffDelay } from '../../../registrar/recipes/backoff.ts';

test('waits double up to the maximum, and jitter moves them within the upper half', (t) => {
  const backoff = { initialMs: 100, maxMs: 1000 };
  t.deepEqual(
    [0, 1, 2, 3, 4, 1000].map((attempt) => backoffDelay(backoff, attempt, 1)),
    [100, 200, 400, 800, 1000, 1000],
  );
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, jitter) => {
      const full = backoffDelay(backoff, attempt, 1);
      const wait = backoffDelay(backoff, attempt, jitter);
      return wait >= full / 2 && wait <= full;
    }),
  );
});
