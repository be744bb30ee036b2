import test from 'ava';
import fc from 'fast-check';
import { MembershipCache } from '../../../registrar/recipes/membership-cache.ts';
import type { Membership } from '../../../registrar/recipes/membership-state.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { registryError } from '../../../registrar/zookeeper/errors.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { eventually } from '../../helpers/eventually.ts';
import { intercept } from '../../helpers/intercept.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { keepsItsWord, type Moment } from '../../helpers/membership-oracle.ts';

async function setUp() {
  const registry = new FakeRegistry();
  const clock = new ManualClock();
  const writer = await registry.connect();
  await writer.create('/r');
  await writer.create('/r/a', 'old');
  const reader = await registry.connect();
  return { registry, clock, writer, reader };
}

function cacheOf(client: RegistryClient, clock: ManualClock) {
  const cache = new MembershipCache({ client, clock, root: '/r', depth: 1 });
  const stop = new AbortController();
  const text = (path: string) => cache.current()?.nodes.get(path)?.data.toString();
  return { cache, stop, text, started: cache.start(stop.signal) };
}

test('while one node cannot be read there is no value at all; then there is a complete one', async (t) => {
  const { clock, writer, reader } = await setUp();
  await writer.create('/r/b', 'other');
  let broken = true;
  const flaky = intercept(reader, {
    get: (path, options) =>
      broken && path === '/r/b' ? Promise.reject(registryError('REGISTRY_CONNECTION_LOSS')) : reader.get(path, options),
  });
  const { cache, stop, text, started } = cacheOf(flaky, clock);
  await clock.advance(10_000);
  t.is(cache.current(), null);
  broken = false;
  await clock.advance(10_000);
  await started;
  t.is(text('/r/a'), 'old');
  t.is(text('/r/b'), 'other');
  stop.abort();
});

test('while reads fail the last value stays and its asOf stands still', async (t) => {
  const { clock, writer, reader } = await setUp();
  let broken = false;
  const flaky = intercept(reader, {
    getEach: (paths, options) =>
      broken ? Promise.reject(registryError('REGISTRY_CONNECTION_LOSS')) : reader.getEach(paths, options),
  });
  const { cache, stop, text, started } = cacheOf(flaky, clock);
  await started;
  const before = cache.current();
  broken = true;
  await writer.set('/r/a', 'new');
  await clock.advance(10_000);
  t.is(cache.current(), before);
  broken = false;
  await clock.advance(10_000);
  t.is(text('/r/a'), 'new');
  stop.abort();
});

test('what changed while the connection was gone is there after it is back, and nothing is claimed before', async (t) => {
  const { registry, clock, writer, reader } = await setUp();
  const { cache, stop, text, started } = cacheOf(reader, clock);
  await started;
  registry.suspend(reader);
  const { mzxid } = await writer.set('/r/a', 'new');
  await writer.create('/r/b', 'more');
  await clock.advance(60_000);
  t.is(text('/r/a'), 'old');
  t.true((cache.current()?.asOf ?? 0) < mzxid);
  registry.resume(reader);
  await eventually('the cache is up to date', () => text('/r/b') === 'more' && text('/r/a') === 'new');
  t.true((cache.current()?.asOf ?? 0) > mzxid);
  stop.abort();
});

test('a connection that is back before the watch stands again lets nothing be claimed', async (t) => {
  const { registry, clock, writer, reader } = await setUp();
  let deaf = false;
  let tellLater = () => {};
  const slow = intercept(reader, {
    addWatch: (path, mode, listener) =>
      reader.addWatch(path, mode, (notice) => {
        if (!deaf) listener(notice);
        else if (notice.kind === 'resync') tellLater = () => listener(notice);
      }),
  });
  const { cache, stop, text, started } = cacheOf(slow, clock);
  await started;
  registry.suspend(reader);
  deaf = true;
  registry.resume(reader);
  const refresh = cache.refresh();
  await clock.advance(1_000);
  const { mzxid } = await writer.set('/r/a', 'new');
  await clock.advance(1_000);
  t.true((cache.current()?.asOf ?? 0) < mzxid);
  t.is(text('/r/a'), 'old');
  tellLater();
  await refresh;
  t.is(text('/r/a'), 'new');
  stop.abort();
});

test('a watch event that got lost is made up for within 30 s', async (t) => {
  const { clock, writer, reader } = await setUp();
  const deaf = intercept(reader, { addWatch: (path, mode) => reader.addWatch(path, mode, () => {}) });
  const { cache, stop, text, started } = cacheOf(deaf, clock);
  await started;
  await writer.set('/r/a', 'new');
  await clock.advance(29_000);
  t.is(text('/r/a'), 'old');
  await clock.advance(1_000);
  t.is(text('/r/a'), 'new');
  await cache.refresh();
  stop.abort();
});

test('what changes while others are read is read along, and becomes known with them', async (t) => {
  const { clock, writer, reader } = await setUp();
  const asked: string[] = [];
  const answer = Promise.withResolvers<void>();
  let isHeld = false;
  const slow = intercept(reader, {
    getEach: async (paths, options) => {
      asked.push(...paths);
      const found = reader.getEach(paths, options);
      if (isHeld) await answer.promise;
      return found;
    },
  });
  const { cache, stop, text, started } = cacheOf(slow, clock);
  await started;
  const values: (string | undefined)[] = [];
  cache.onChange(() => values.push(`${text('/r/a')} ${text('/r/b')}`));
  isHeld = true;
  asked.splice(0);
  await writer.set('/r/a', 'new');
  await eventually('the first is asked for', () => asked.includes('/r/a'));
  const { stat } = await writer.create('/r/b', 'more');
  await eventually('the second is asked for too', () => asked.includes('/r/b'));
  t.deepEqual(values, []);
  answer.resolve();
  await eventually('both are known', () => values.length > 0);
  t.is(values[0], 'new more');
  t.true((cache.current()?.asOf ?? 0) >= stat.mzxid);
  stop.abort();
});

test('looking for lost events does not keep a change waiting, and finds what came, changed and went', async (t) => {
  const { clock, writer, reader } = await setUp();
  await writer.create('/r/goes', 'old');
  let [isDeaf, isHeld] = [false, false];
  const held = Promise.withResolvers<void>();
  const slow = intercept(reader, {
    addWatch: (path, mode, listener) =>
      reader.addWatch(path, mode, (notice) => {
        if (!isDeaf) listener(notice);
      }),
    children: async (path, options) => {
      if (isHeld) await held.promise;
      return reader.children(path, options);
    },
  });
  const { stop, text, started } = cacheOf(slow, clock);
  await started;
  isDeaf = true;
  await writer.set('/r/a', 'new');
  await writer.create('/r/comes', 'new');
  await writer.delete('/r/goes');
  isDeaf = false;
  isHeld = true;
  await clock.advance(30_000);
  t.is(text('/r/a'), 'old');
  await writer.create('/r/b', 'soon');
  await eventually('a change goes through meanwhile', () => text('/r/b') === 'soon');
  held.resolve();
  await eventually('what was missed is there', () => text('/r/a') === 'new' && text('/r/comes') === 'new');
  await eventually('what went is gone', () => text('/r/goes') === undefined);
  stop.abort();
});

test('the end of the session is the end of the cache', async (t) => {
  const { registry, clock, reader } = await setUp();
  const { cache, started } = cacheOf(reader, clock);
  await started;
  const reasons: unknown[] = [];
  cache.onEnd((reason) => reasons.push(reason));
  const refresh = cache.refresh();
  registry.expire(reader);
  await t.throwsAsync(refresh, { code: 'REGISTRY_SESSION_EXPIRED' });
  t.is(cache.current(), null);
  t.is(reasons.length, 1);
  t.like(reasons[0], { code: 'REGISTRY_SESSION_EXPIRED' });
});

test('a node that keeps readers out hides itself, not the others', async (t) => {
  const { clock, writer, reader } = await setUp();
  await writer.create('/r/secret', 'x', { acl: [{ scheme: 'digest', id: 'who:knows', permissions: ['read'] }] });
  const { cache, stop, text, started } = cacheOf(reader, clock);
  await started;
  t.is(text('/r/a'), 'old');
  t.deepEqual([...(cache.current()?.unreadable ?? [])], ['/r/secret']);
  stop.abort();
});

test('nodes that are too large for one reply are read one by one', async (t) => {
  const { clock, writer, reader } = await setUp();
  const narrow = intercept(reader, { getEach: () => Promise.reject(registryError('REGISTRY_TOO_LARGE')) });
  const { cache, stop, text, started } = cacheOf(narrow, clock);
  await started;
  const { mzxid } = await writer.set('/r/a', 'new');
  await eventually('the cache is up to date', () => text('/r/a') === 'new');
  t.true((cache.current()?.asOf ?? 0) >= mzxid);
  stop.abort();
});

test('a root that was wiped leaves the last value standing', async (t) => {
  const { clock, writer, reader } = await setUp();
  const { cache, stop, started } = cacheOf(reader, clock);
  await started;
  await writer.multi([
    { op: 'delete', path: '/r/a' },
    { op: 'delete', path: '/r' },
  ]);
  await clock.advance(60_000);
  t.deepEqual([...(cache.current()?.nodes.keys() ?? [])], ['/r', '/r/a']);
  stop.abort();
});

test('a listener that throws ends the cache with its error', async (t) => {
  const { clock, writer, reader } = await setUp();
  const { cache, started } = cacheOf(reader, clock);
  await started;
  const ended = new Promise((resolve) => cache.onEnd(resolve));
  cache.onChange(() => {
    throw new Error('bad listener');
  });
  await writer.set('/r/a', 'new');
  t.like(await ended, { message: 'bad listener' });
});

type Step =
  | { act: 'put' | 'delete'; path: string }
  | { act: 'suspend' | 'resume' | 'drop reply' | 'refresh' }
  | { act: 'wait'; ms: number };

const path = fc.constantFrom('/r/a', '/r/b', '/r/c');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constantFrom('put' as const, 'delete' as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constantFrom('suspend', 'resume', 'drop reply', 'refresh' as const),
    }) as fc.Arbitrary<Step>,
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }) },
);

test('through any order of changes, breaks and lost replies the cache keeps its word, and in the end it is right', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { registry, clock, writer, reader } = await setUp();
      const past: Moment[] = [];
      const note = () => {
        const paths = ['/r', '/r/a', '/r/b', '/r/c'];
        const found = paths.flatMap((one) => {
          const stat = registry.tree.stat(one);
          return stat ? [[one, stat.mzxid] as const] : [];
        });
        past.push({ zxid: registry.zxid, tree: new Map(found) });
      };
      note();
      const values: Membership[] = [];
      const { cache, stop, started } = cacheOf(reader, clock);
      cache.onChange((value) => values.push(value));
      const refreshes: Promise<void>[] = [];
      for (const one of steps) {
        if (one.act === 'put') await writer.set(one.path, 'x').catch(() => writer.create(one.path));
        else if (one.act === 'delete') await writer.delete(one.path).catch(() => {});
        else if (one.act === 'suspend') registry.suspend(reader);
        else if (one.act === 'resume') registry.resume(reader);
        else if (one.act === 'drop reply') registry.dropNextReply(reader);
        else if (one.act === 'wait') await clock.advance(one.ms);
        else refreshes.push(cache.refresh().catch(() => {}));
        note();
      }
      registry.resume(reader);
      await clock.advance(40_000);
      await started;
      const { asOf, nodes } = cache.current() ?? { asOf: 0, nodes: new Map() };
      t.deepEqual([...nodes.keys()].sort(), [...(past.at(-1)?.tree.keys() ?? [])].sort());
      t.true(asOf >= (past.at(-1)?.zxid ?? 0));
      for (const value of values) t.true(keepsItsWord(past, value));
      await Promise.all(refreshes);
      stop.abort();
    }),
    { numRuns: 150 },
  );
});
