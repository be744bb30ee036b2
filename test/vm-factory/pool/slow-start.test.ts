import test from 'ava';
import fc from 'fast-check';
import { breakerState, closedBreaker, machineFailed, machineProven } from '../../../vm-factory/pool/image-breaker.ts';
import { defaultSlowStartPolicy, freshSlowStart, nextSlowStart } from '../../../vm-factory/pool/slow-start.ts';

test('creations that work go 1, 2, 4, 8, 16 and no further', (t) => {
  const batches: number[] = [];
  let state = freshSlowStart;
  for (let round = 0; round < 6; round += 1) {
    batches.push(state.batch);
    state = nextSlowStart(state, { succeeded: state.batch, failed: 0 }, 0);
  }
  t.deepEqual(batches, [1, 2, 4, 8, 16, 16]);
});

test('one failure starts it over and pauses; a refusal pauses ten times as long and is told', (t) => {
  const grown = { batch: 8, blockedUntil: 0, reason: '' };
  t.deepEqual(nextSlowStart(grown, { succeeded: 7, failed: 1 }, 1000), {
    batch: 1,
    blockedUntil: 4000,
    reason: 'the last creation failed',
    failures: 1,
  });
  t.deepEqual(nextSlowStart(grown, { succeeded: 0, failed: 1, refused: 'quota' }, 1000), {
    batch: 1,
    blockedUntil: 31_000,
    reason: 'quota',
    failures: 1,
  });
});

test('failures one after the other pause ever longer and say why; those of one plan are one; a success forgets them', (t) => {
  const failed = { succeeded: 0, failed: 1, why: 'the disk is full' };
  const pauses: number[] = [];
  let state = freshSlowStart;
  for (let now = 0; pauses.length < 6; now = state.blockedUntil) {
    state = nextSlowStart(state, failed, now);
    state = nextSlowStart(state, failed, now);
    pauses.push(state.blockedUntil - now);
  }
  t.deepEqual(pauses, [3_000, 6_000, 12_000, 24_000, 30_000, 30_000]);
  t.is(state.reason, 'the last creation failed: the disk is full');
  state = nextSlowStart(nextSlowStart(state, { succeeded: 1, failed: 0 }, 1e6), failed, 1e6);
  t.is(state.blockedUntil, 1e6 + 3_000);
});

test('whatever happens the batch stays from 1 to its most, and a plan without creations changes nothing', (t) => {
  const outcome = fc.record({
    succeeded: fc.nat(20),
    failed: fc.nat(3),
    refused: fc.option(fc.string(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(outcome), (outcomes) => {
      let state = freshSlowStart;
      for (const [now, one] of outcomes.entries()) {
        state = nextSlowStart(state, one, now);
        if (state.batch < 1 || state.batch > defaultSlowStartPolicy.maxBatch) return false;
      }
      return nextSlowStart(state, { succeeded: 0, failed: 0 }, 1e9) === state;
    }),
  );
  t.pass();
});

test('three failures in a row open an image, the cooldown lets one be tried, one success forgives all', (t) => {
  const limits = { failures: 3, cooldownMs: 1000 };
  let breaker = closedBreaker;
  for (const now of [0, 10]) breaker = machineFailed(breaker, 'a', 'never joined', now);
  t.is(breakerState(breaker, 'a', 20, limits), 'closed');
  breaker = machineFailed(breaker, 'a', 'never joined', 20);
  t.is(breakerState(breaker, 'a', 1019, limits), 'open');
  t.is(breakerState(breaker, 'a', 1020, limits), 'probing');
  t.is(breakerState(breaker, 'b', 20, limits), 'closed');
  t.is(breakerState(machineFailed(breaker, 'a', 'again', 1500), 'a', 2000, limits), 'open');
  t.is(breakerState(machineProven(breaker, 'a'), 'a', 20, limits), 'closed');
});
