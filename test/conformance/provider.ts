/** What every machine provider keeps, whoever it asks for machines: run on the fake and on real ones. */
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { CreateMachine, MachineProvider, ProviderMachine } from '../../vm-factory/provider.ts';
import { until } from '../helpers/until.ts';

export interface ProviderBench {
  provider: MachineProvider;
  /** Another handle on the same machines, as a standby controller has; the fake has only itself. */
  other: MachineProvider;
  clusterId: string;
  image: string;
  /** The quota that the provider was made with. */
  limit: number;
  /** Ends a machine as a crash would: the provider is not asked. */
  kill(machine: ProviderMachine): Promise<void>;
}

/** `test` is ava's, or its `test.serial`. `make` gives a fresh, empty bench with a quota of 4 machines and registers its own teardown. */
export function providerConformance(
  test: (title: string, body: (t: ExecutionContext) => Promise<void>) => void,
  name: string,
  make: (t: ExecutionContext) => Promise<ProviderBench>,
): void {
  const check = (title: string, body: (t: ExecutionContext, bench: ProviderBench) => Promise<void>) => {
    test(`${name}: ${title}`, async (t) => body(t, await make(t)));
  };

  const ask = (bench: ProviderBench, change: Partial<CreateMachine> = {}): CreateMachine => ({
    uuid: randomUUID(),
    operation: randomUUID(),
    clusterId: bench.clusterId,
    image: bench.image,
    registry: '127.0.0.1:2181/mcp',
    ...change,
  });

  const running = (bench: ProviderBench, uuid: string) =>
    until(`machine ${uuid} runs`, async () => {
      const machine = (await bench.provider.list()).find((one) => one.uuid === uuid);
      return machine?.state === 'running' && machine;
    });

  const listed = async (provider: MachineProvider) => (await provider.list()).map(({ uuid }) => uuid).sort();

  check('a created machine is listed with all that was asked, and runs at an address', async (t, bench) => {
    const request = ask(bench);
    const made = await bench.provider.create(request);
    t.is(made.uuid, request.uuid);
    t.is(made.operation, request.operation);
    t.is(made.image, request.image);
    const seen = await running(bench, request.uuid);
    t.is(seen.providerId, made.providerId);
    t.regex(seen.address ?? '', /^127\.\d+\.\d+\.\d+$/);
    t.not(seen.address, '127.0.0.1');
    t.is(seen.createdAt, made.createdAt);
  });

  check('creating twice with one operation id gives the same machine', async (t, bench) => {
    const request = ask(bench);
    const first = await bench.provider.create(request);
    const again = await bench.provider.create(request);
    const elsewhere = await bench.other.create(request);
    const otherUuid = await bench.provider.create({ ...request, uuid: randomUUID() });
    t.deepEqual(
      [again, elsewhere, otherUuid].map(({ uuid, providerId }) => ({ uuid, providerId })),
      Array(3).fill({ uuid: first.uuid, providerId: first.providerId }),
    );
    t.deepEqual(await listed(bench.provider), [request.uuid]);
  });

  check('creating one operation many times at once makes one machine', async (t, bench) => {
    const request = ask(bench);
    const handles = [bench.provider, bench.other, bench.provider, bench.other];
    const made = await Promise.all(handles.map((handle) => handle.create(request)));
    t.is(new Set(made.map(({ providerId }) => providerId)).size, 1);
    t.deepEqual(await listed(bench.other), [request.uuid]);
    t.is((await running(bench, request.uuid)).uuid, request.uuid);
  });

  check('a uuid that another operation made is refused', async (t, bench) => {
    const request = ask(bench);
    await bench.provider.create(request);
    await t.throwsAsync(bench.provider.create({ ...request, operation: randomUUID() }), { code: 'PROVIDER_REFUSED' });
    t.is((await bench.provider.find(request.operation))?.uuid, request.uuid);
  });

  check('a request of another cluster is refused', async (t, bench) => {
    await t.throwsAsync(bench.provider.create(ask(bench, { clusterId: 'another' })), { code: 'PROVIDER_REFUSED' });
    t.deepEqual(await bench.provider.list(), []);
  });

  check('an image that does not exist is refused, and said to be missing by those who know', async (t, bench) => {
    t.regex((await bench.provider.whyNoImage?.('no-such-image')) ?? 'no-such-image', /no-such-image/);
    t.is((await bench.provider.whyNoImage?.(bench.image)) ?? null, null);
    await t.throwsAsync(bench.provider.create(ask(bench, { image: 'no-such-image' })), { code: 'PROVIDER_REFUSED' });
    t.deepEqual(await bench.provider.list(), []);
  });

  check(
    'a service template that is not there, or that it can have none of, leaves an ordinary machine',
    async (t, bench) => {
      const request = ask(bench, { template: 'nobody-made-it' });
      await bench.provider.create(request);
      t.is((await running(bench, request.uuid)).image, bench.image);
      t.deepEqual((await bench.provider.keepTemplates?.([], true)) ?? {}, {});
    },
  );

  check('machines have addresses of their own', async (t, bench) => {
    const requests = [ask(bench), ask(bench), ask(bench)];
    await Promise.all(requests.map((request, n) => (n % 2 ? bench.other : bench.provider).create(request)));
    const machines = await Promise.all(requests.map(({ uuid }) => running(bench, uuid)));
    t.is(new Set(machines.map(({ address }) => address)).size, 3);
    t.is(new Set(machines.map(({ providerId }) => providerId)).size, 3);
  });

  check('find knows a machine by its operation, and says null for one that never was', async (t, bench) => {
    const request = ask(bench);
    const made = await bench.provider.create(request);
    t.is((await bench.provider.find(request.operation))?.providerId, made.providerId);
    t.is((await bench.other.find(request.operation))?.uuid, request.uuid);
    t.is(await bench.provider.find(randomUUID()), null);
  });

  check('a destroyed machine goes from the list, and destroying it again succeeds', async (t, bench) => {
    const [doomed, kept] = [ask(bench), ask(bench)];
    const machine = await bench.provider.create(doomed);
    await bench.provider.create(kept);
    await bench.provider.destroy(machine);
    await until('it is gone', async () => (await listed(bench.other)).join() === kept.uuid);
    await bench.provider.destroy(machine);
    await bench.other.destroy(machine);
    t.is(await bench.provider.find(doomed.operation), null);
    t.is((await running(bench, kept.uuid)).uuid, kept.uuid);
  });

  check('destroying a machine many times at once succeeds each time', async (t, bench) => {
    const machine = await bench.provider.create(ask(bench));
    await Promise.all([bench.provider, bench.other, bench.provider].map((handle) => handle.destroy(machine)));
    await until('it is gone', async () => (await bench.provider.list()).length === 0);
    t.pass();
  });

  check('a machine under another providerId is not destroyed', async (t, bench) => {
    const one = await bench.provider.create(ask(bench));
    const two = await bench.provider.create(ask(bench));
    const mixed = { uuid: one.uuid, providerId: two.providerId };
    await t.throwsAsync(bench.provider.destroy(mixed), { code: 'PROVIDER_REFUSED' });
    t.is((await running(bench, one.uuid)).state, 'running');
    t.is((await running(bench, two.uuid)).state, 'running');
  });

  check('a machine that died is listed as stopped until it is destroyed', async (t, bench) => {
    const request = ask(bench);
    await bench.provider.create(request);
    const machine = await running(bench, request.uuid);
    await bench.kill(machine);
    const dead = await until('it is seen dead', async () => {
      const seen = await bench.provider.find(request.operation);
      return seen?.state === 'stopped' && seen;
    });
    t.is(dead.uuid, request.uuid);
    await bench.provider.destroy(dead);
    await until('it is gone', async () => (await bench.provider.list()).length === 0);
  });

  check('a death is hinted to whoever listens, and to nobody who stopped', async (t, bench) => {
    const request = ask(bench);
    await bench.provider.create(request);
    const machine = await running(bench, request.uuid);
    const [heard, unheard]: [string[], string[]] = [[], []];
    t.teardown(bench.provider.events((uuid) => heard.push(uuid)));
    bench.provider.events((uuid) => unheard.push(uuid))();
    await bench.kill(machine);
    await until('the hint came', async () => heard.includes(request.uuid));
    t.deepEqual(unheard, []);
  });

  check('limits count what is used, and creation beyond them is refused', async (t, bench) => {
    t.deepEqual(await bench.provider.limits(), { machines: { limit: bench.limit, used: 0 } });
    const requests = Array.from({ length: bench.limit }, () => ask(bench));
    for (const request of requests) await bench.provider.create(request);
    t.deepEqual(await bench.provider.limits(), { machines: { limit: bench.limit, used: bench.limit } });
    await t.throwsAsync(bench.provider.create(ask(bench)), { code: 'PROVIDER_REFUSED' });
    t.deepEqual(await listed(bench.provider), requests.map(({ uuid }) => uuid).sort());
  });

  check('an aborted call rejects with the reason of its signal and does nothing', async (t, bench) => {
    const signal = AbortSignal.abort(new Error('enough'));
    await t.throwsAsync(bench.provider.create(ask(bench), signal), { message: 'enough' });
    await t.throwsAsync(bench.provider.list(signal), { message: 'enough' });
    t.deepEqual(await bench.provider.list(), []);
  });

  check('capabilities are plain data', async (t, bench) => {
    const kinds = ['console', 'pause', 'sharedHost', 'snapshot', 'zones'];
    t.deepEqual(Object.keys(bench.provider.capabilities).sort(), kinds);
    t.true(Object.values(bench.provider.capabilities).every((value) => typeof value === 'boolean'));
    t.regex(bench.provider.name, /^[a-z]+$/);
  });

  check('machines outlive the provider that made them', async (t, bench) => {
    const request = ask(bench);
    await bench.provider.create(request);
    await running(bench, request.uuid);
    await bench.provider.close();
    const machine = (await bench.other.list()).find(({ uuid }) => uuid === request.uuid);
    t.is(machine?.state, 'running');
  });
}
