import test from 'ava';
import { SessionKeeper } from '../../../registrar/recipes/session-keeper.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { McpError } from '../../../specs/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

test('after an expiry a new session is made, once the work on the old one has ended', async (t) => {
  const registry = new FakeRegistry();
  const clock = new ManualClock();
  const story: string[] = [];
  const sessions: RegistryClient[] = [];
  const keeper = new SessionKeeper({
    connect: registry.connect,
    clock,
    onSession: async (client, signal) => {
      sessions.push(client);
      story.push('begin');
      await untilAborted(signal);
      await clock.sleep(50);
      story.push('end');
    },
    onLost: (reason) => story.push(reason instanceof McpError ? reason.code : String(reason)),
    random: () => 0.5,
  });
  const stop = new AbortController();
  const run = keeper.run(stop.signal);
  const first = await eventually('a session', () => keeper.client());
  registry.expire(first);
  await clock.advance(1000);
  const second = await eventually('another session', () => keeper.client());
  t.not(second, first);
  t.deepEqual(story, ['begin', 'end', 'REGISTRY_SESSION_EXPIRED', 'begin']);
  t.deepEqual(sessions, [first, second]);
  stop.abort();
  await clock.advance(1000);
  await run;
  t.is(second.state, 'closed');
  t.is(keeper.client(), null);
});

test('the client still works while the keeper stops', async (t) => {
  const registry = new FakeRegistry();
  const observer = await registry.connect();
  await observer.create('/here');
  const keeper = new SessionKeeper({
    connect: registry.connect,
    clock: new ManualClock(),
    onSession: async (client, signal) => {
      await untilAborted(signal);
      await client.delete('/here');
    },
  });
  const stop = new AbortController();
  const run = keeper.run(stop.signal);
  await eventually('a session', () => keeper.client());
  stop.abort();
  await run;
  t.is(await observer.exists('/here'), null);
});

test('work that fails gives its session up; waits grow until a session was a good one', async (t) => {
  const registry = new FakeRegistry();
  const clock = new ManualClock();
  const starts: number[] = [];
  let fail = true;
  const keeper = new SessionKeeper({
    connect: registry.connect,
    clock,
    onSession: (_client, signal) => {
      starts.push(clock.monotonic());
      if (fail) throw new Error('no');
      return untilAborted(signal);
    },
    random: () => 1,
  });
  const stop = new AbortController();
  const run = keeper.run(stop.signal);
  await clock.advance(1400);
  t.deepEqual(starts, [0, 200, 600, 1400]);
  fail = false;
  await clock.advance(1600 + 40_000);
  registry.expire((await eventually('a session', () => keeper.client())) as RegistryClient);
  await clock.advance(200);
  t.deepEqual(starts.slice(4), [3000, 43_200 - 200 + 200]);
  stop.abort();
  await run;
});

test('refused credentials end the keeper: no later try can help', async (t) => {
  const keeper = new SessionKeeper({
    connect: () => Promise.reject(new McpError('REGISTRY_AUTH_FAILED', 'refused')),
    clock: new ManualClock(),
    onSession: () => {},
  });
  await t.throwsAsync(keeper.run(new AbortController().signal), { code: 'REGISTRY_AUTH_FAILED' });
});
