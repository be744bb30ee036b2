import test from 'ava';
import fc from 'fast-check';
import { decideLatch } from '../../../registrar/recipes/latch-decision.ts';

test('the first in line leads, the others wait for the one before them, strangers join', (t) => {
  const children = ['n_0000000012', 'n_0000000003', 'n_0000000007', 'other', 'n_'];
  t.deepEqual(decideLatch(children, 'n_0000000003'), { act: 'lead' });
  t.deepEqual(decideLatch(children, 'n_0000000012'), { act: 'wait', predecessor: 'n_0000000007' });
  t.deepEqual(decideLatch(children, null), { act: 'join' });
  t.deepEqual(decideLatch(children, 'n_0000000099'), { act: 'join' });
});

test('of any queue exactly one leads, and no two wait for the same one', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 20_000_000_000 }), { minLength: 1 }), (sequences) => {
      const children = sequences.map((sequence) => `n_${String(sequence).padStart(10, '0')}`);
      const steps = children.map((own) => decideLatch(children, own));
      const awaited = steps.flatMap((step) => (step.act === 'wait' ? [step.predecessor] : []));
      return steps.filter((step) => step.act === 'lead').length === 1 && new Set(awaited).size === children.length - 1;
    }),
  );
  t.pass();
});
