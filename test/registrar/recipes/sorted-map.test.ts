import test from 'ava';
import fc from 'fast-check';
import { SortedMap } from '../../../registrar/recipes/sorted-map.ts';

const key = fc.tuple(fc.nat(40), fc.nat(60)).map(([a, b]) => `/s${a}/${b}`);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('with' as const), key }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('without' as const), key }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('withoutAll' as const), key: fc.nat(40).map((a) => `/s${a}/`) }),
  },
);

test('a sorted map holds what a plain one would, in order, and the ones before it stay as they were', (t) => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 600 }), fc.array(step, { maxLength: 200 }), (first, steps) => {
      const plain = new Map(first.map((one, n) => [one, n]));
      let sorted = SortedMap.of(plain);
      const [begun, begunWith] = [sorted, [...sorted]];
      for (const [n, { act, key }] of steps.entries()) {
        if (act === 'with') plain.set(key, n);
        if (act === 'without') plain.delete(key);
        if (act === 'withoutAll') for (const one of plain.keys()) if (one.startsWith(key)) plain.delete(one);
        sorted = act === 'with' ? sorted.with(key, n) : sorted[act](key);
      }
      const expected = [...plain].sort(([a], [b]) => (a < b ? -1 : 1));
      t.deepEqual([...sorted], expected);
      t.is(sorted.size, plain.size);
      t.deepEqual([...sorted.keys()], [...expected.map(([one]) => one)]);
      for (const one of [...first, ...steps.map((one) => one.key)]) {
        t.is(sorted.get(one), plain.get(one));
        t.is(sorted.has(one), plain.has(one));
      }
      t.deepEqual([...begun], begunWith);
    }),
    { numRuns: 60 },
  );
});

test('a map of many thousands takes one change without a copy of it all', (t) => {
  const many = SortedMap.of(Array.from({ length: 30_000 }, (_, n) => [`/services/s-${n}`, n] as const));
  let map = many;
  for (let n = 0; n < 2000; n += 1) map = map.with('/services/new', n).without('/services/new');
  // 2,000 copies of 30,000 would be some 10 s.
  t.deepEqual([map.size, map.get('/services/s-29999'), many.size], [30_000, 29_999, 30_000]);
  t.is(map.without('/services/none'), map);
  t.is(map.withoutAll('/services/').size, 0);
  t.is(map.withoutAll('/services/').get('/services/s-1'), undefined);
});
