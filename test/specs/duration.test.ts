import test from 'ava';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../specs/duration.ts';

test('durations are read in their units', (t) => {
  t.deepEqual(['500ms', '2s', '1.5m', '1h', '0s', '0.25s'].map(parseDuration), [500, 2000, 90_000, 3_600_000, 0, 250]);
});

test('what has no unit, a sign, a space or another unit is no duration', (t) => {
  for (const text of ['', '5', '-1s', '+1s', '1 s', 's', '1d', '1e3s', '1S', '.5s', '1s ', '1s2', '１s']) {
    t.is(parseDuration(text), undefined, text);
  }
});

test('what is written from ms is read back as the same', (t) => {
  fc.assert(fc.property(fc.nat({ max: 999_999_999 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  t.deepEqual([0, 500, 2000, 90_000, 3_600_000].map(formatDuration), ['0ms', '500ms', '2s', '90s', '1h']);
});
