import test from 'ava';
import fc from 'fast-check';
import { type Claims, countClaim, poolSize } from '../../../vm-factory/pool/pool-size.ts';

const minute = 60_000;
const spec = { size: 2, image: 'x', demand: { max: 8, windowMs: 10 * minute } };
const at = 1_000 * minute;
const claims = (...times: number[]) => times.reduce<Claims>((known, time) => countClaim(known, time), []);

test('a fixed size stays, whatever is claimed', (t) => {
  t.is(poolSize({ size: 3, image: 'x' }, claims(at, at, at, at), at).target, 3);
});

test('the size is the most that was claimed within a window lately, within its bounds', (t) => {
  t.is(poolSize(spec, [], at).target, 2);
  const burst = claims(...[1, 2, 3, 4, 5].map((n) => at - 20 * minute + n * minute));
  t.like(poolSize(spec, burst, at), { target: 5 });
  t.is(poolSize(spec, burst, at + 41 * minute).target, 4, 'the oldest is out of the last six windows');
  t.is(poolSize(spec, burst, at + 60 * minute).target, 2);
  t.is(poolSize(spec, claims(...Array.from({ length: 30 }, () => at)), at).target, 8);
  t.is(poolSize(spec, claims(at - 15 * minute, at), at).target, 2, 'claims far apart are no peak');
});

test('the size stays within its bounds and never shrinks by one more claim', (t) => {
  const anyTimes = fc.array(fc.integer({ min: at - 90 * minute, max: at }), { maxLength: 40 });
  fc.assert(
    fc.property(anyTimes, fc.integer({ min: at - 90 * minute, max: at }), (times, next) => {
      const known = claims(...times);
      const before = poolSize(spec, known, at).target;
      const after = poolSize(spec, countClaim(known, next), at).target;
      return before >= 2 && after <= 8 && after >= before;
    }),
  );
  t.pass();
});

test('claims are kept by minute, in order, for a bounded time', (t) => {
  t.deepEqual(claims(at + minute, at, at + 1), [
    [1000, 2],
    [1001, 1],
  ]);
  t.deepEqual(claims(at, at + 5_000 * minute), [[6000, 1]]);
});
