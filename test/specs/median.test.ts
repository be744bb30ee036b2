import test from 'ava';
import { median } from '../../specs/median.ts';

test('the median is the middle by size, between two middles their mean, and of nothing there is none', (t) => {
  t.is(median([10, 9, 100]), 10);
  t.is(median([100, 10, 9, 1]), 9.5);
  t.is(median([7]), 7);
  t.is(median([]), null);
  const given = [3, 1, 2];
  median(given);
  t.deepEqual(given, [3, 1, 2], 'what is given stays as it is');
});
