import test from 'ava';
import fc from 'fast-check';
import type { WatchEvent, WatchNotice } from '../../../registrar/registry-client.ts';
import { ServerWatches } from '../../../registrar/zookeeper/server-watches.ts';
import { callListener, WatchTable } from '../../../registrar/zookeeper/watches.ts';

const path = (p: string) => p;

test.serial('a listener that throws is reported as an uncaught error, and the others are still called', (t) => {
  const uncaught: (() => void)[] = [];
  const original = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (task) => void uncaught.push(task);
  t.teardown(() => {
    globalThis.queueMicrotask = original;
  });
  const table = new WatchTable();
  const heard: WatchEvent[] = [];
  table.addOneShot('data', '/a', () => {
    throw new Error('listener');
  });
  table.addOneShot('data', '/a', (event) => heard.push(event));
  table.dispatch({ type: 'changed', path: '/a' });
  t.deepEqual(heard, [{ type: 'changed', path: '/a' }]);
  t.is(uncaught.length, 1);
  t.throws(() => uncaught[0]?.(), { message: 'listener' });
  callListener(() => {}, null);
  t.is(uncaught.length, 1);
});

test('a listener closed by an earlier one in the same event hears nothing', (t) => {
  const table = new WatchTable();
  const late = () => t.fail('was closed');
  table.addListener('persistent', '/a', () => table.removeListener('persistent', '/a', late));
  table.addListener('persistent', '/a', late);
  table.dispatch({ type: 'changed', path: '/a' });
  t.pass();
});

test('a watch set by a one-shot watch’s own callback waits for the next event', (t) => {
  const table = new WatchTable();
  let calls = 0;
  const again = () => {
    calls += 1;
    table.addOneShot('data', '/a', again);
  };
  again();
  table.dispatch({ type: 'changed', path: '/a' });
  table.dispatch({ type: 'changed', path: '/a' });
  t.is(calls, 3);
});

test('losing the session tells every persistent listener once and forgets everything', (t) => {
  const table = new WatchTable();
  const heard: WatchNotice[] = [];
  table.addListener('persistent', '/a', (notice) => heard.push(notice));
  table.addListener('persistent-recursive', '/', (notice) => heard.push(notice));
  table.addOneShot('data', '/a', () => t.fail('one-shot watches are lost silently'));
  table.lose();
  table.dispatch({ type: 'changed', path: '/a' });
  table.resync();
  t.deepEqual(heard, [{ kind: 'lost' }, { kind: 'lost' }]);
});

test('recursive listeners hear all below them but no child lists', (t) => {
  const table = new WatchTable();
  const heard: string[] = [];
  table.addListener('persistent-recursive', '/a', (notice) => {
    if (notice.kind === 'event') heard.push(`${notice.type} ${notice.path}`);
  });
  for (const changed of ['/', '/a', '/a/b/c', '/ab']) {
    for (const type of ['created', 'children'] as const) table.dispatch({ type, path: changed });
  }
  t.deepEqual(heard, ['created /a', 'created /a/b/c']);
});

test('the server is asked for the strongest watch wanted at a path', (t) => {
  const watches = new ServerWatches(new WatchTable());
  t.is(watches.want('/a', 'persistent'), 'persistent');
  t.is(watches.want('/a', 'persistent-recursive'), 'persistent-recursive');
  t.is(watches.want('/a', 'persistent'), 'persistent-recursive');
  t.is(watches.unwant('/a', 'persistent-recursive'), 'persistent');
  t.is(watches.unwant('/a', 'persistent'), 'persistent');
  t.is(watches.unwant('/a', 'persistent'), null);
  t.is(watches.strongest('/a'), null);
});

test('watches are set again in batches, each path once a kind, one-shot ones before persistent ones', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { maxLength: 60 }), (numbers) => {
      const table = new WatchTable();
      const long = (n: number) => `/${'x'.repeat(9000)}/${n}`;
      for (const n of numbers) {
        table.addOneShot('data', long(n), () => {});
        table.addListener(n % 2 ? 'persistent' : 'persistent-recursive', long(n), () => {});
      }
      const sets = new ServerWatches(table).all(path);
      t.deepEqual(sets.flatMap((set) => set.data).sort(), numbers.map(long).sort());
      const persistent = sets.flatMap((set) => [...set.persistent, ...set['persistent-recursive']]);
      t.deepEqual(persistent.sort(), numbers.map(long).sort());
      const last = sets.findLastIndex((set) => set.data.length > 0);
      const first = sets.findIndex((set) => set.persistent.length + set['persistent-recursive'].length > 0);
      t.true(first === -1 || last <= first);
      for (const set of sets) t.true(Object.values(set).flat().join('').length < 150_000);
    }),
    { numRuns: 30 },
  );
});
