import test from 'ava';
import fc from 'fast-check';
import { absorbFlaps, noFlaps } from '../../../proxy-daemon/routes/absorb-flaps.ts';
import type { LiveRegistration } from '../../../proxy-daemon/routes/route-table.ts';
import { sampleRegistration } from '../../helpers/sample-world.ts';

const [one, two] = [sampleRegistration('pay', '1', 1), sampleRegistration('pay', '1', 2)];
const leaving: LiveRegistration = { ...one, record: { ...one.record, state: 'draining' } };

/** What is there after each look, each being what is seen and when. */
function follow(...looks: [LiveRegistration[], number][]) {
  let memory = noFlaps;
  return looks.map(([seen, now]) => {
    const absorbed = absorbFlaps(memory, seen, now, 1000);
    memory = absorbed.memory;
    return {
      machines: absorbed.registrations.map(({ record }) => record.machine.slice(-1)).join(''),
      due: absorbed.due,
    };
  });
}

test('an instance that vanishes and comes back within the grace was never away', (t) => {
  t.deepEqual(follow([[one, two], 0], [[two], 100], [[two], 1099], [[one, two], 1099.5]), [
    { machines: '12', due: null },
    { machines: '21', due: 1100 },
    { machines: '21', due: 1100 },
    { machines: '12', due: null },
  ]);
});

test('one that does not come back goes when the grace ends', (t) => {
  t.deepEqual(follow([[one, two], 0], [[two], 100], [[two], 1100])[2], { machines: '2', due: null });
});

test('one that announced its leaving goes at once, and so does one whose endpoint is registered anew', (t) => {
  t.is(follow([[one], 0], [[leaving], 1], [[], 2])[2]?.machines, '');
  const again = sampleRegistration('pay', '1', 3, { address: one.record.address });
  t.is(follow([[one], 0], [[again], 1])[1]?.machines, '3');
});

test('whatever comes and goes: all that is seen is there, and nothing stays longer than the grace', (t) => {
  const pool = Array.from({ length: 5 }, (_, n) => sampleRegistration('pay', '1', n + 1));
  const looks = fc.array(fc.tuple(fc.subarray(pool), fc.nat(600)), { maxLength: 12 });
  fc.assert(
    fc.property(looks, (steps) => {
      let memory = noFlaps;
      let now = 0;
      const lastSeen = new Map<string, number>();
      const firstMissed = new Map<string, number>();
      for (const [seen, pause] of steps) {
        now += pause;
        const { registrations, memory: next, due } = absorbFlaps(memory, seen, now, 1000);
        memory = next;
        for (const { path } of seen) {
          lastSeen.set(path, now);
          firstMissed.delete(path);
        }
        const there = new Set(registrations.map(({ path }) => path));
        for (const { path } of pool) {
          const isSeen = seen.some((other) => other.path === path);
          if (!isSeen && lastSeen.has(path) && !firstMissed.has(path)) firstMissed.set(path, now);
          const missed = firstMissed.get(path);
          t.is(there.has(path), isSeen || (missed !== undefined && now < missed + 1000));
        }
        t.true(due === null || due > now);
      }
    }),
  );
});
