import test from 'ava';
import { SlowCalls } from '../../../mcp/control/slow-calls.ts';

test('what a claim waits for is asked for before what only fills the pool', async (t) => {
  const calls = new SlowCalls(1);
  const order: string[] = [];
  const free = Promise.withResolvers<void>();
  const call =
    (name: string, until: Promise<void> = Promise.resolve()) =>
    async () => {
      order.push(name);
      await until;
    };
  calls.start('first', call('first', free.promise));
  calls.start('refill', call('refill'));
  calls.start('claim', call('claim'), { urgent: true });
  t.true(calls.isBusy('claim'));
  free.resolve();
  await calls.settled();
  t.deepEqual(order, ['first', 'claim', 'refill']);
  t.false(calls.isBusy('claim'));
});
