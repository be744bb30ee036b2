import test from 'ava';
import fc from 'fast-check';
import { nextRestart } from '../../../mcp/local/supervisor.ts';

test('a daemon that keeps crashing is started with pauses that double up to ten seconds', (t) => {
  const pauses: number[] = [];
  let state = { startedAt: 0, pauseMs: 200 };
  for (let crash = 0; crash < 8; crash++) {
    const next = nextRestart(state, state.startedAt, 0);
    pauses.push(next.at - state.startedAt);
    state = { startedAt: next.at, pauseMs: next.pauseMs };
  }
  t.deepEqual(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test('a daemon that lived long starts again after the shortest pause', (t) => {
  t.is(nextRestart({ startedAt: 0, pauseMs: 10_000 }, 60_000, 0).at, 60_200);
});

test('restarts are spread by at most half a pause and never come early', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (pauseMs, random) => {
        const { at } = nextRestart({ startedAt: 1000, pauseMs }, 1000, random);
        return at - 1000 >= pauseMs && at - 1000 <= pauseMs * 1.5 + 1;
      },
    ),
  );
  t.pass();
});
