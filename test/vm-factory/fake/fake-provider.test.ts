import test from 'ava';
import { FakeProvider, type FakeProviderOptions } from '../../../vm-factory/fake/fake-provider.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

function setup(options: Partial<FakeProviderOptions> = {}) {
  const clock = new ManualClock();
  const provider = new FakeProvider({ clock, clusterId: 'c1', ...options });
  const hints: string[] = [];
  provider.events((uuid) => hints.push(uuid));
  return { clock, provider, hints };
}

function request(uuid: string) {
  return { uuid, operation: `op-${uuid}`, clusterId: 'c1', image: 'plain', registry: 'registry' };
}

test('a create whose reply is lost is found by its operation', async (t) => {
  const { provider } = setup();
  provider.inject({ on: 'create', kind: 'reply-lost' });
  await t.throwsAsync(provider.create(request('a')), { code: 'PROVIDER_UNKNOWN' });
  t.is((await provider.find('op-a'))?.state, 'running');
});

test('a late create lands when its time comes, not before', async (t) => {
  const { clock, provider, hints } = setup();
  provider.inject({ on: 'create', kind: 'reply-lost', landsAfterMs: 5000 });
  await t.throwsAsync(provider.create(request('a')), { code: 'PROVIDER_UNKNOWN' });
  await clock.advance(4999);
  t.is(await provider.find('op-a'), null);
  await clock.advance(1);
  t.is((await provider.find('op-a'))?.state, 'running');
  t.true(hints.includes('a'));
});

test('a late create that was made again meanwhile is one machine', async (t) => {
  const { clock, provider } = setup();
  provider.inject({ on: 'create', kind: 'reply-lost', landsAfterMs: 5000 });
  await t.throwsAsync(provider.create(request('a')));
  await provider.create(request('a'));
  await clock.advance(5000);
  t.is((await provider.list()).length, 1);
});

test('a request that is lost is never done', async (t) => {
  const { clock, provider } = setup();
  provider.inject({ on: 'create', kind: 'request-lost' });
  await t.throwsAsync(provider.create(request('a')), { code: 'PROVIDER_UNKNOWN' });
  await clock.advance(1e6);
  t.is(await provider.find('op-a'), null);
});

test('a list fails whole, as often as it was told to', async (t) => {
  const { provider } = setup();
  await provider.create(request('a'));
  provider.inject({ on: 'list', kind: 'unavailable' }, 2);
  await t.throwsAsync(provider.list(), { code: 'PROVIDER_UNAVAILABLE' });
  await t.throwsAsync(provider.list(), { code: 'PROVIDER_UNAVAILABLE' });
  t.is((await provider.list()).length, 1);
});

test('faults of one call strike in the order they were injected, until healed', async (t) => {
  const { provider } = setup();
  provider.inject({ on: 'create', kind: 'refused', reason: 'quota' });
  provider.inject({ on: 'create', kind: 'unavailable' }, Number.POSITIVE_INFINITY);
  await t.throwsAsync(provider.create(request('a')), { code: 'PROVIDER_REFUSED', message: 'quota' });
  await t.throwsAsync(provider.create(request('a')), { code: 'PROVIDER_UNAVAILABLE' });
  await t.throwsAsync(provider.create(request('a')), { code: 'PROVIDER_UNAVAILABLE' });
  provider.heal();
  t.is((await provider.create(request('a'))).state, 'running');
});

test('booting takes its time; a machine may never run, or turn into an error', async (t) => {
  const { clock, provider } = setup({ bootMs: 1000 });
  provider.inject({ on: 'create', kind: 'never-runs' });
  provider.inject({ on: 'create', kind: 'turns-error' });
  for (const uuid of ['a', 'b', 'c']) t.is((await provider.create(request(uuid))).state, 'building');
  await clock.advance(1000);
  const states = (await provider.list()).map(({ uuid, state, address }) => [uuid, state, address !== undefined]);
  t.deepEqual(states, [
    ['a', 'building', false],
    ['b', 'error', false],
    ['c', 'running', true],
  ]);
});

test('a destroy may be accepted without effect, lost, or late', async (t) => {
  const { clock, provider } = setup({ destroyMs: 100 });
  const machine = await provider.create(request('a'));
  provider.inject({ on: 'destroy', kind: 'no-effect' });
  provider.inject({ on: 'destroy', kind: 'reply-lost', landsAfterMs: 500 });
  await provider.destroy(machine);
  await clock.advance(10_000);
  t.is((await provider.list())[0]?.state, 'running');
  await t.throwsAsync(provider.destroy(machine), { code: 'PROVIDER_UNKNOWN' });
  await clock.advance(500);
  t.is((await provider.list())[0]?.state, 'stopped');
  await clock.advance(100);
  t.deepEqual(await provider.list(), []);
});

test('a machine whose state cannot be told is unknown and still listed, without an address', async (t) => {
  const { provider } = setup();
  await provider.create(request('a'));
  provider.hide('a');
  const [seen] = await provider.list();
  t.is(seen?.state, 'unknown');
  t.is(seen?.address, undefined);
  t.is(provider.truth()[0]?.state, 'running');
  provider.hide('a', false);
  t.is((await provider.list())[0]?.state, 'running');
});

test('hints may be lost or doubled; changes are always told to the oracle', async (t) => {
  const { provider, hints } = setup();
  const changes: string[] = [];
  provider.onChange(({ uuid }, change) => changes.push(`${uuid} ${change}`));
  provider.eventDelivery = 'lost';
  await provider.create(request('a'));
  t.deepEqual(hints, []);
  provider.eventDelivery = 'doubled';
  provider.kill('a');
  provider.remove('a');
  t.deepEqual(hints, ['a', 'a', 'a', 'a']);
  t.deepEqual(changes, ['a building', 'a running', 'a stopped', 'a gone']);
});

test('a slow list is stale when it arrives', async (t) => {
  const { clock, provider } = setup();
  await provider.create(request('a'));
  provider.inject({ on: 'list', kind: 'slow', ms: 1000 });
  const listing = provider.list();
  await clock.advance(500);
  provider.kill('a');
  await clock.advance(500);
  t.is((await listing)[0]?.state, 'running');
});

test('a call that hangs ends with its signal, having done nothing', async (t) => {
  const { provider } = setup();
  const patience = new AbortController();
  provider.inject({ on: 'create', kind: 'hang' });
  const creating = provider.create(request('a'), patience.signal);
  patience.abort(new Error('deadline'));
  await t.throwsAsync(creating, { message: 'deadline' });
  t.deepEqual(provider.truth(), []);
});

test('an address can be handed out twice, as a cloud does', async (t) => {
  const { provider } = setup({ address: () => '127.90.0.9' });
  const first = await provider.create(request('a'));
  await provider.destroy(first);
  t.is((await provider.create(request('b'))).address, '127.90.0.9');
});

test('the same script gives the same story', async (t) => {
  const story = async () => {
    const { clock, provider } = setup({ bootMs: 300, destroyMs: 200 });
    const told: string[] = [];
    provider.onChange(({ uuid }, change) => told.push(`${clock.monotonic()} ${uuid} ${change}`));
    provider.inject({ on: 'create', kind: 'reply-lost', landsAfterMs: 300 });
    for (const uuid of ['a', 'b', 'c']) await provider.create(request(uuid)).catch(() => {});
    await clock.advance(400);
    for (const machine of await provider.list()) await provider.destroy(machine);
    await clock.advance(1000);
    return { told, calls: provider.calls };
  };
  const [first, second] = [await story(), await story()];
  t.deepEqual(first, second);
  t.is(first.told.filter((line) => line.endsWith('gone')).length, 3);
});
