import test from 'ava';
import fc from 'fast-check';
import { versionWeights } from '../../../proxy-daemon/routes/weights.ts';

const weightsOf = (...loads: [number | null, number][]) =>
  versionWeights(loads.map(([weight, live], index) => ({ version: `${index}`, weight, live }))).map(
    ({ instanceWeight }) => instanceWeight,
  );

test('without declared weights every instance counts alike', (t) => {
  t.deepEqual(weightsOf([null, 3], [null, 1]), [1, 1]);
});

test('a declared share is divided evenly over the instances of its version, exactly', (t) => {
  t.deepEqual(weightsOf([90, 3], [10, 1]), [3, 1]);
  t.deepEqual(weightsOf([90, 1], [10, 1]), [9, 1]);
  t.deepEqual(weightsOf([50, 2], [50, 3]), [3, 2]);
});

test('a version without live instances leaves its share to the others', (t) => {
  t.deepEqual(weightsOf([90, 0], [10, 2]), [0, 1]);
});

test('weight 0 gets no traffic, also when it is all there is', (t) => {
  t.deepEqual(weightsOf([100, 1], [0, 4]), [1, 0]);
  t.deepEqual(weightsOf([100, 0], [0, 4]), [0, 0]);
});

test('a version without a weight beside weighted ones keeps the share of its instances by number', (t) => {
  const [old, fresh] = versionWeights([
    { version: 'old', weight: null, live: 3 },
    { version: 'fresh', weight: 100, live: 1 },
  ]);
  t.is(old?.share, 0.75);
  t.is(fresh?.share, 0.25);
});

const load = fc.record({
  version: fc.string(),
  weight: fc.option(fc.integer({ min: 0, max: 100 })),
  live: fc.integer({ min: 0, max: 50 }),
});

test('the integers stand in the ratio of the shares, shares add up to 1, and every positive share gets traffic', (t) => {
  fc.assert(
    fc.property(fc.array(load, { minLength: 1, maxLength: 4 }), (loads) => {
      const weights = versionWeights(loads);
      const total = weights.reduce((sum, { instanceWeight }, i) => sum + instanceWeight * (loads[i]?.live ?? 0), 0);
      const shares = weights.reduce((sum, { share }) => sum + share, 0);
      t.true(total === 0 ? shares === 0 : Math.abs(shares - 1) < 1e-9);
      for (const [index, { share, instanceWeight }] of weights.entries()) {
        t.true(Number.isInteger(instanceWeight) && instanceWeight >= 0 && instanceWeight <= 1_000_000);
        t.is(share > 0, instanceWeight > 0);
        if (total > 0) t.true(Math.abs((instanceWeight * (loads[index]?.live ?? 0)) / total - share) < 1e-3);
      }
    }),
  );
  t.pass();
});
