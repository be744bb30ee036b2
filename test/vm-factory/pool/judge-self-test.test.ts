import test from 'ava';
import fc from 'fast-check';
import { failedChecks, judgeSelfTest } from '../../../vm-factory/pool/judge-self-test.ts';
import { selfTest } from '../../helpers/self-test.ts';

test('a machine that does well passes, each check with its limit', (t) => {
  const verification = judgeSelfTest(selfTest());
  t.true(verification.passed);
  t.is(failedChecks(verification), '');
  t.like(
    verification.checks.find(({ name }) => name === 'registry'),
    { value: 3, threshold: 10_000, passed: true },
  );
});

test('each figure beyond its limit, unknown or missing fails, and is named', (t) => {
  const bad: [string, number | null, RegExp][] = [
    ['disk-free', 1, /^disk-free is 1 B, not 8 MiB$/],
    ['disk-speed', 1024, /^disk-speed is 1 KiB\/s, not 64 KiB\/s$/],
    ['disk-content', 1, /^disk-content is 1 faults, not 0 faults$/],
    ['disk-content', null, /^disk-content: not measured$/],
    ['memory', 1024 ** 2, /^memory is 1 MiB, not 16 MiB$/],
    ['memory-content', 2, /^memory-content is 2/],
    ['cpu', 30_001, /^cpu is 30001 ms, not 30000 ms$/],
    ['clock', 31_000, /^clock is/],
    ['registry', 11_000, /^registry is/],
  ];
  for (const [name, value, words] of bad)
    t.regex(failedChecks(judgeSelfTest(selfTest({ [name]: value }))), words, name);
  const { figures, ...rest } = selfTest();
  const without = { ...rest, figures: figures.filter(({ name }) => name !== 'clock') };
  t.is(failedChecks(judgeSelfTest(without)), 'clock: not measured');
});

test('of the artifact stores that there are, as many as declared must be reached', (t) => {
  const reached = (value: number, of: number) => {
    const test = selfTest();
    return { ...test, figures: [...test.figures, { name: 'artifact-stores', unit: 'reached', value, of }] };
  };
  t.true(judgeSelfTest(reached(1, 3)).passed, 'one that is down holds up nothing');
  t.false(judgeSelfTest(reached(0, 3)).passed);
  t.false(judgeSelfTest(reached(1, 3), { artifactStores: 2 }).passed);
  t.true(judgeSelfTest(reached(2, 2), { artifactStores: 5 }).passed, 'there are no more');
  t.true(judgeSelfTest(reached(0, 3), { artifactStores: 0 }).passed);
});

test('a looser limit never fails what a stricter one passes', (t) => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(100_000), (value, limit, more) => {
      const passes = (clockMs: number) => judgeSelfTest(selfTest({ clock: value }), { clockMs }).passed;
      return !passes(limit) || passes(limit + more);
    }),
  );
  t.pass();
});
