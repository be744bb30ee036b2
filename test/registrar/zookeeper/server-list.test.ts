import test from 'ava';
import fc from 'fast-check';
import { ServerList } from '../../../registrar/zookeeper/server-list.ts';

const servers = [1, 2, 3].map((n) => ({ host: `zk${n}`, port: 2181 }));

test('every server gets its turn, in an order that differs between clients', (t) => {
  const orders = new Set<string>();
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (random) => {
      const list = new ServerList(servers, () => random.next().value ?? 0);
      const order = [1, 2, 3, 4, 5, 6].map(() => list.next().server.host);
      t.is(new Set(order.slice(0, 3)).size, 3);
      t.deepEqual(order.slice(3), order.slice(0, 3));
      orders.add(order.join());
    }),
  );
  t.true(orders.size > 1);
});

test('the first round hardly waits, later ones wait longer, never much more than 3 s', (t) => {
  const list = new ServerList(servers, () => 0.5);
  const delays = Array.from({ length: 60 }, () => list.next().delayMs);
  t.is(delays[0], 0);
  t.true(delays.slice(0, 3).every((delay) => delay <= 50));
  t.deepEqual(
    delays.slice(3),
    [...delays.slice(3)].sort((a, b) => a - b),
  );
  t.true((delays[3] ?? 0) >= 50);
  t.true(delays.every((delay) => delay <= 3000));
  t.true((delays.at(-1) ?? 0) >= 1500);
  list.succeeded();
  t.true(list.next().delayMs <= 50, 'a server that worked resets the wait');
});

test('waits are jittered', (t) => {
  const delaysWith = (value: number) => {
    const list = new ServerList([{ host: 'zk', port: 1 }], () => value);
    return [1, 2, 3].map(() => list.next().delayMs);
  };
  t.notDeepEqual(delaysWith(0.1), delaysWith(0.9));
});
