import test from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { commit } from '../../../registrar/recipes/epoch-guard.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import { LeaderLatch, type LeaderTerm } from '../../../registrar/recipes/leader-latch.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { eventually } from '../../helpers/eventually.ts';
import { intercept } from '../../helpers/intercept.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

async function setUp() {
  const registry = new FakeRegistry();
  const clock = new ManualClock();
  const observer = await registry.connect();
  await formatRegistry(observer, clock, { clusterId: 'c' });
  const queue = async () => (await observer.children(paths.leader)).children;
  return { registry, clock, observer, queue };
}

function stand(client: RegistryClient, clock: ManualClock, id = 'me', lead?: (term: LeaderTerm) => Promise<void>) {
  const terms: LeaderTerm[] = [];
  const stop = new AbortController();
  const untilAborted = (term: LeaderTerm) =>
    new Promise<void>((resolve) => term.signal.addEventListener('abort', () => resolve(), { once: true }));
  const run = new LeaderLatch({ client, clock, id }).run(async (term) => {
    terms.push(term);
    await (lead ?? untilAborted)(term);
  }, stop.signal);
  const outcome = run.then(
    () => null,
    (error: unknown) => error,
  );
  return { terms, stop, outcome };
}

test('a suspended connection ends the term at once; back again, the same place leads with a later epoch', async (t) => {
  const { registry, clock, queue } = await setUp();
  const client = await registry.connect();
  const { terms, stop, outcome } = stand(client, clock);
  const first = await eventually('it leads', () => terms[0]);
  const places = await queue();
  registry.suspend(client);
  t.true(first.signal.aborted);
  t.is(first.signal.reason.code, 'REGISTRY_CONNECTION_LOSS');
  registry.resume(client);
  const second = await eventually('it leads again', () => terms[1]);
  t.true(second.epoch > first.epoch);
  t.deepEqual(await queue(), places);
  stop.abort();
  t.is(await outcome, null);
  t.deepEqual(await queue(), []);
});

test('a leader that slept through its session finds itself deposed, and its epoch writes no more', async (t) => {
  const { registry, clock, observer } = await setUp();
  const sleeper = await registry.connect();
  const asleep = stand(sleeper, clock, 'sleeper');
  const old = await eventually('it leads', () => asleep.terms[0]);
  const heir = stand(await registry.connect(), clock, 'heir');
  await clock.advance(10);
  registry.suspend(sleeper);
  registry.expire(sleeper);
  const now = await eventually('the heir leads', () => heir.terms[0]);
  t.true(now.epoch > old.epoch);
  registry.resume(sleeper);
  t.like(await asleep.outcome, { code: 'REGISTRY_SESSION_EXPIRED' });
  t.is(asleep.terms.length, 1);
  const write = [{ op: 'create', path: `${paths.machines}/m` }] as const;
  await t.throwsAsync(commit(observer, old.epoch, write), { code: 'EPOCH_LOST' });
  await t.notThrowsAsync(commit(observer, now.epoch, write));
  heir.stop.abort();
  await heir.outcome;
});

test('a place whose create reply was lost is found again, not made twice', async (t) => {
  const { registry, clock, queue } = await setUp();
  const client = await registry.connect();
  let lost = 0;
  const shaky = intercept(client, {
    create: (...request) => {
      if (lost === 0) registry.dropNextReply(client);
      lost += 1;
      return client.create(...request);
    },
  });
  const { terms, stop, outcome } = stand(shaky, clock);
  await eventually('the reply is lost', () => lost === 1 && clock.sleeping > 0);
  await clock.advance(1000);
  await eventually('it leads', () => terms[0]);
  t.is(lost, 1);
  t.is((await queue()).length, 1);
  stop.abort();
  t.is(await outcome, null);
});

test('an epoch whose reply was lost is not led under; the next one is', async (t) => {
  const { registry, clock, observer } = await setUp();
  const client = await registry.connect();
  let lost = 0;
  const shaky = intercept(client, {
    multi: (...request) => {
      if (lost === 0) registry.dropNextReply(client);
      lost += 1;
      return client.multi(...request);
    },
  });
  const { terms, stop, outcome } = stand(shaky, clock);
  await eventually('the reply is lost', () => lost === 1 && clock.sleeping > 0);
  await clock.advance(1000);
  const term = await eventually('it leads', () => terms[0]);
  t.is(term.epoch, 2);
  t.is((await observer.get(paths.epoch)).stat.version, 2);
  stop.abort();
  t.is(await outcome, null);
});

test('a place left behind by an older session of the same id is waited for, not taken', async (t) => {
  const { registry, clock, observer, queue } = await setUp();
  const old = await registry.connect();
  const data = encode(codecs.contender, { id: 'me', at: 1 });
  await old.create(`${paths.leader}/n_`, data, { mode: 'ephemeral-sequential' });
  const { terms, stop, outcome } = stand(await registry.connect(), clock);
  await eventually('it is in line', async () => (await queue()).length === 2);
  await clock.advance(5000);
  t.is(terms.length, 0);
  registry.expire(old);
  await eventually('it leads', () => terms[0]);
  t.is((await observer.get(paths.epoch)).stat.version, 1);
  stop.abort();
  await outcome;
});

test('a term ends when its place in the queue is taken away, and the contender lines up again', async (t) => {
  const { registry, clock, observer, queue } = await setUp();
  const { terms, stop, outcome } = stand(await registry.connect(), clock);
  const term = await eventually('it leads', () => terms[0]);
  await observer.delete(`${paths.leader}/${(await queue())[0]}`);
  await eventually('the term ends', () => term.signal.aborted);
  const next = await eventually('it leads again', () => terms[1]);
  t.is(next.epoch, term.epoch + 1);
  stop.abort();
  await outcome;
});

test('what the leader throws ends the run, and its place is free at once', async (t) => {
  const { registry, clock, queue } = await setUp();
  const client = await registry.connect();
  const { outcome } = stand(client, clock, 'me', () => Promise.reject(new Error('out of disk')));
  t.like(await outcome, { message: 'out of disk' });
  t.deepEqual(await queue(), []);
});

test('a wiped tree halts the contender', async (t) => {
  const { registry, clock, observer } = await setUp();
  await observer.delete(paths.leader);
  const { outcome } = stand(await registry.connect(), clock);
  t.like(await outcome, { code: 'CLUSTER_MISMATCH' });
});
