/** The fake's own controls; what it does as a registry is in test/conformance. */
import test from 'ava';
import fc from 'fast-check';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';

test('containers that lost their last child and TTL nodes past their time go when reaped', async (t) => {
  let now = 1000;
  const registry = new FakeRegistry({ clock: { now: () => now } });
  const client = await registry.connect();
  await client.create('/used', '', { mode: 'container' });
  await client.create('/used/child');
  await client.create('/emptied', '', { mode: 'container' });
  await client.create('/emptied/child');
  await client.delete('/emptied/child');
  await client.create('/fresh', '', { mode: 'container' });
  await client.create('/short', '', { mode: 'persistent-ttl', ttlMs: 500 });
  await client.create('/long', '', { mode: 'persistent-ttl', ttlMs: 5000 });
  now += 501;
  registry.reap();
  t.deepEqual((await client.children('/')).children, ['fresh', 'long', 'used']);
});

test('a stopped registry suspends everyone and lets nobody in until it starts', async (t) => {
  const registry = new FakeRegistry();
  const client = await registry.connect();
  await client.create('/mine', '', { mode: 'ephemeral' });
  registry.stop();
  t.is(client.state, 'suspended');
  registry.resume(client);
  t.is(client.state, 'suspended', 'there is nothing to connect to');
  const controller = new AbortController();
  const given = registry.connect({ signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.throwsAsync(given, { message: 'enough' });
  const waiting = registry.connect();
  const read = client.exists('/mine');
  registry.start();
  const other = await waiting;
  t.is((await other.exists('/mine'))?.ephemeralOwner, client.sessionId);
  t.truthy(await read);
});

test('a suspended client learns of its expiry only when it is back', async (t) => {
  const registry = new FakeRegistry();
  const [client, other] = [await registry.connect(), await registry.connect()];
  await client.create('/mine', '', { mode: 'ephemeral' });
  registry.suspend(client);
  registry.expire(client);
  t.is(await other.exists('/mine'), null);
  t.is(client.state, 'suspended');
  registry.resume(client);
  t.is(client.state, 'expired');
});

test('a suspended client that closes leaves its ephemeral nodes to expire', async (t) => {
  const registry = new FakeRegistry();
  const [client, other] = [await registry.connect(), await registry.connect()];
  await client.create('/mine', '', { mode: 'ephemeral' });
  registry.suspend(client);
  await client.close();
  t.truthy(await other.exists('/mine'));
  registry.expire(client);
  t.is(await other.exists('/mine'), null);
  t.is(client.state, 'closed');
});

test('another registry’s client is refused', async (t) => {
  const client = await new FakeRegistry().connect();
  t.throws(() => new FakeRegistry().expire(client), { code: 'REGISTRY_BAD_ARGUMENTS' });
});

type Step = { client: number; act: 'create' | 'set' | 'delete' | 'suspend' | 'resume' | 'drop'; node: number };
const anyStep: fc.Arbitrary<Step> = fc.record({
  client: fc.nat(2),
  act: fc.constantFrom('create', 'set', 'delete', 'suspend', 'resume', 'drop'),
  node: fc.nat(3),
});

async function trace(steps: readonly Step[]): Promise<string[]> {
  const log: string[] = [];
  const registry = new FakeRegistry();
  const clients: RegistryClient[] = [];
  for (let index = 0; index < 3; index++) {
    const client = await registry.connect();
    clients.push(client);
    client.onState((state) => log.push(`${index} ${state}`));
    await client.addWatch('/', 'persistent-recursive', (notice) => log.push(`${index} ${JSON.stringify(notice)}`));
  }
  const pending: Promise<unknown>[] = [];
  for (const [at, { client: index, act, node }] of steps.entries()) {
    const client = clients[index];
    if (!client) continue;
    const note = (outcome: string) => log.push(`${at} ${outcome}`);
    const settle = (call: Promise<unknown>) =>
      pending.push(
        call.then(
          () => note('done'),
          (error) => note(error.code),
        ),
      );
    if (act === 'create') settle(client.create(`/n${node}`, '', { mode: 'ephemeral' }));
    else if (act === 'set') settle(client.set(`/n${node}`, String(at)));
    else if (act === 'delete') settle(client.delete(`/n${node}`));
    else if (act === 'suspend') registry.suspend(client);
    else if (act === 'resume') registry.resume(client);
    else registry.dropNextReply(client);
    if (at % 3 === 0) await null;
  }
  for (const client of clients) registry.resume(client);
  await Promise.all(pending);
  return log;
}

test('the same steps always give the same trace, and every call is answered', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
      t.deepEqual(await trace(steps), await trace(steps));
    }),
  );
});
