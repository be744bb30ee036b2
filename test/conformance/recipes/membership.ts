/** What the membership cache promises on any registry. */
import type { TestFn } from 'ava';
import { MembershipCache } from '../../../registrar/recipes/membership-cache.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { eventually } from '../../helpers/eventually.ts';
import { formatted, type OpenRegistry } from './shared.ts';

export function testMembership(test: TestFn, open: OpenRegistry): void {
  test('a membership cache follows every change, and never says more than it has seen', async (t) => {
    const { connect, client } = await formatted(t, open);
    const writer = await connect();
    await writer.create('/services/dns');
    await writer.create('/services/dns/1');
    await writer.create('/services/dns/1/m0', 'first', { mode: 'ephemeral' });
    const { cache, stop } = await startCache(client, '/services', 3);
    t.is(cache.current()?.nodes.get('/services/dns/1/m0')?.data.toString(), 'first');
    const wrong: string[] = [];
    const marks: { path: string; mzxid: number }[] = [];
    cache.onChange((value) => {
      for (const { path, mzxid } of marks) {
        const seen = value.nodes.get(path)?.stat.mzxid ?? Number.POSITIVE_INFINITY;
        if (value.asOf >= mzxid && seen < mzxid) wrong.push(path);
      }
    });
    for (let round = 0; round < 40; round += 1) {
      const path = `/services/dns/1/m${round % 5}`;
      const known = await writer.exists(path);
      if (known && round % 3 === 0) await writer.delete(path);
      else if (known) marks.push({ path, mzxid: (await writer.set(path, `round ${round}`)).mzxid });
      else marks.push({ path, mzxid: (await writer.create(path, `round ${round}`, { mode: 'ephemeral' })).stat.mzxid });
      if (round % 3 === 0) marks.splice(0, marks.length, ...marks.filter((mark) => mark.path !== path));
    }
    const last = Math.max(...marks.map((mark) => mark.mzxid));
    await eventually('the cache has caught up by itself', () => (cache.current()?.asOf ?? 0) >= last);
    t.deepEqual(wrong, []);
    await cache.refresh();
    const { children } = await client.children('/services/dns/1');
    const cached = [...(cache.current()?.nodes.keys() ?? [])].sort();
    t.deepEqual(cached, [
      '/services',
      '/services/dns',
      '/services/dns/1',
      ...children.map((name) => `/services/dns/1/${name}`),
    ]);
    stop.abort();
    t.is(cache.current(), null);
  });

  test('a membership cache whose root may lack is empty until somebody makes it, and again when it goes', async (t) => {
    const { client } = await formatted(t, open);
    const stop = new AbortController();
    const cache = new MembershipCache({ client, clock: systemClock, root: '/others/pay', depth: 1, mayLack: true });
    await cache.start(stop.signal);
    const holds = (...paths: string[]) =>
      eventually(
        `holds ${paths}`,
        () => [...(cache.current()?.nodes.keys() ?? ['none'])].sort().join() === paths.join(),
      );
    await holds();
    for (let round = 0; round < 2; round += 1) {
      for (const path of ['/others', '/others/pay', '/others/pay/a']) await client.create(path);
      await holds('/others/pay', '/others/pay/a');
      for (const path of ['/others/pay/a', '/others/pay', '/others']) await client.delete(path);
      await holds();
    }
    stop.abort();
    t.is(cache.current(), null);
  });

  test('a membership cache keeps no more levels than asked for, and forgets whole branches', async (t) => {
    const { client } = await formatted(t, open);
    for (const path of ['/services/dns', '/services/dns/1', '/services/dns/1/m']) await client.create(path);
    const { cache, stop } = await startCache(client, '/services', 2);
    t.deepEqual([...(cache.current()?.nodes.keys() ?? [])], ['/services', '/services/dns', '/services/dns/1']);
    for (const path of ['/services/dns/1/m', '/services/dns/1', '/services/dns']) await client.delete(path);
    await eventually('the branch is gone', () => cache.current()?.nodes.size === 1);
    stop.abort();
    await t.throwsAsync(cache.refresh());
  });

  test('a missing root is a failure, not an empty membership', async (t) => {
    const { client } = await formatted(t, open);
    const cache = new MembershipCache({ client, clock: systemClock, root: '/nowhere', depth: 1 });
    await t.throwsAsync(cache.start(new AbortController().signal), { code: 'CLUSTER_MISMATCH' });
    t.is(cache.current(), null);
  });

  test('refresh brings in what was committed elsewhere in the registry', async (t) => {
    const { connect, client } = await formatted(t, open);
    const { cache, stop } = await startCache(client, '/gateways', 1);
    const writer = await connect();
    const { stat } = await writer.create('/machines/m');
    await cache.refresh();
    t.true((cache.current()?.asOf ?? 0) >= stat.mzxid);
    stop.abort();
  });
}

async function startCache(client: RegistryClient, root: string, depth: number) {
  const cache = new MembershipCache({ client, clock: systemClock, root, depth });
  const stop = new AbortController();
  await cache.start(stop.signal);
  return { cache, stop };
}
