import test from 'ava';
import { rehearse } from '../../../registrar/agent/rehearsal.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

test('a machine rehearses a start only after a while of rest, and not when it was claimed before', async (t) => {
  const clock = new ManualClock();
  let starts = 0;
  const start = async () => {
    starts += 1;
  };
  const claimed = new AbortController();
  const disturbed = rehearse(clock, claimed.signal, start);
  const rested = rehearse(clock, new AbortController().signal, start);
  await clock.advance(1_000);
  claimed.abort();
  await disturbed;
  t.is(starts, 0);
  await clock.advance(10_000);
  await rested;
  t.is(starts, 1);
});

test('the rehearsed process ends by itself', async (t) => {
  const now = { ...systemClock, sleep: async () => {} };
  await t.notThrowsAsync(rehearse(now, new AbortController().signal));
});
