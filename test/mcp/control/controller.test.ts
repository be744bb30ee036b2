import test from 'ava';
import { runController } from '../../../mcp/control/controller.ts';
import { defaultPolicy } from '../../../mcp/plan/policy.ts';
import { paths } from '../../../registrar/layout.ts';
import { codecs, decode } from '../../../registrar/store/codecs.ts';
import { service, version } from '../plan/world-builder.ts';
import { clusterId, type Setup, setUp } from './registry-setup.ts';

const silent = { info() {}, warn() {}, error() {} };

function start(setup: Setup, id: string) {
  const end = new AbortController();
  const { clock, provider, registry } = setup;
  const done = runController({
    connect: registry.connect,
    provider,
    clock,
    log: silent,
    id,
    clusterId,
    policy: defaultPolicy,
    registry: 'test',
    allowLoopback: true,
    signal: end.signal,
  });
  return {
    async stop() {
      end.abort(new Error('stopped'));
      await setup.clock.advance(1_000);
      await done;
    },
  };
}

async function status({ client }: Setup) {
  return decode(codecs.status, paths.status, (await client.get(paths.status)).data);
}

test('the leader makes the pool, publishes configuration, and says what is waited for', async (t) => {
  const setup = await setUp(t);
  await setup.declare([{ ...service('dns', [version('1.0.0', 2)]), config: { ttl: 60 } }], 1);
  const controller = start(setup, 'c1');
  await setup.clock.advance(10_000);
  t.is(setup.provider.truth().length, 2, 'for the claims that wait');
  const config = await setup.client.get(paths.config('dns'));
  t.like(decode(codecs.config, paths.config('dns'), config.data), { values: { ttl: 60 }, generation: 1 });
  const told = await status(setup);
  t.like(told, { leader: 'c1', epoch: 1, generation: 1, alarms: [] });
  t.true(told.waiting.some(({ what, why }) => what === 'dns@1.0.0' && /wait for a ready machine/.test(why)));
  t.true(told.waiting.some(({ what, why }) => what === 'pool' && /^the refill of 1 waits/.test(why)));
  await controller.stop();
});

test('a standby takes over when the leader goes, and leads in a new epoch', async (t) => {
  const setup = await setUp(t);
  await setup.declare([], 1);
  const first = start(setup, 'c1');
  await setup.clock.advance(3_000);
  const second = start(setup, 'c2');
  await setup.clock.advance(3_000);
  t.like(await status(setup), { leader: 'c1', epoch: 1 });
  await first.stop();
  await setup.declare([], 2);
  await setup.clock.advance(5_000);
  t.like(await status(setup), { leader: 'c2', epoch: 2, generation: 2 });
  await second.stop();
});

test('a cloud that cannot be listed stops all planning and is told', async (t) => {
  const setup = await setUp(t);
  await setup.declare([], 2);
  setup.provider.inject({ on: 'list', kind: 'unavailable' }, Number.POSITIVE_INFINITY);
  const controller = start(setup, 'c1');
  await setup.clock.advance(20_000);
  t.is(setup.provider.calls.filter(({ call }) => call === 'create').length, 0);
  t.like(await status(setup), { alarms: [{ code: 'PROVIDER_UNAVAILABLE' }] });
  setup.provider.heal();
  await setup.clock.advance(30_000);
  t.is(setup.provider.truth().length, 2);
  t.deepEqual((await status(setup)).alarms, []);
  await controller.stop();
});

test('a change is seen at once, not by the slow timer', async (t) => {
  const setup = await setUp(t);
  await setup.declare([], 0);
  const controller = start(setup, 'c1');
  await setup.clock.advance(1_000);
  await setup.declare([], 1);
  await setup.clock.advance(100);
  t.is(setup.provider.truth().length, 1);
  await controller.stop();
});

test('an idle controller writes nothing', async (t) => {
  const setup = await setUp(t);
  await setup.declare([], 0);
  const controller = start(setup, 'c1');
  await setup.clock.advance(5_000);
  const before = setup.registry.zxid;
  await setup.clock.advance(60_000);
  t.is(setup.registry.zxid, before);
  await controller.stop();
});

test('a wall clock that is set hours forward or back makes nothing, destroys nothing and stops nothing', async (t) => {
  const setup = await setUp(t);
  await setup.declare([], 2);
  for (const uuid of ['m1', 'm2']) await setup.machine({ uuid, providerId: `fake-${uuid}` });
  const controller = start(setup, 'c1');
  await setup.clock.advance(30_000);
  for (const hours of [9, -18]) {
    const [before, told] = [setup.registry.zxid, (await status(setup)).at];
    setup.clock.jump(hours * 3_600_000);
    await setup.clock.advance(120_000);
    t.is(setup.registry.zxid, before, `nothing was written after ${hours} hours`);
    t.is((await status(setup)).at, told);
  }
  t.deepEqual(
    setup.provider.truth().map(({ uuid }) => uuid),
    ['m1', 'm2'],
  );
  await setup.declare([], 3);
  await setup.clock.advance(10_000);
  t.is(setup.provider.truth().length, 3, 'it goes on by the new time');
  await controller.stop();
});
