/** Debian's real Curator client as a registrant, on a real ZooKeeper: what it writes is what the gateway must understand. */
import test from 'ava';
import { readCuratorInstance } from '../../registrar/dialects/curator.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { CuratorRegistrant } from '../helpers/curator-registrant.ts';
import { eventually } from '../helpers/eventually.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment } from '../helpers/sample-world.ts';
import { nodeStat } from '../helpers/stat.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';

const patience = 60_000;

test('Curator registers, goes out of service, comes back after its registry restarted, is killed: the gateway follows', async (t) => {
  const zooKeeper = await startZooKeeper();
  t.teardown(() => zooKeeper.stop());
  const connect = (root: string) => (options?: { signal?: AbortSignal }) =>
    connectZooKeeper(zooKeeper.connectString + root, { sessionTimeoutMs: 20_000, ...options });
  const root = await connect('')();
  t.teardown(() => root.close());
  await root.create('/mcp');
  const gateway = await testGateway(t, { connect: connect('/mcp'), connectForeign: connect('') });
  const [stays, dies] = await Promise.all([startBackend(t, 'stays'), startBackend(t, 'dies')]);
  const environment = sampleEnvironment([]);
  const registries = [
    {
      dialect: 'curator' as const,
      graceMs: 5000,
      services: [{ service: 'pay', path: '/services/payment', route: '/pay', version: '3' }],
    },
  ];
  await gateway.declare({ ...environment, gateway: { ...environment.gateway, registries } }, 1);
  gateway.start();
  const [first, second] = await Promise.all([
    CuratorRegistrant.start(t, zooKeeper.connectString, '/services', 'new'),
    CuratorRegistrant.start(t, zooKeeper.connectString, '/services', 'compatible'),
  ]);
  const one = `payment one 127.0.0.1 ${stays.port}`;
  t.is(await first.say(`register ${one} UP enabled`), 'done');
  t.is(await second.say(`register payment two 127.0.0.1 ${dies.port} UP enabled`), 'done');
  const answers = async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => gateway.ask('/pay/x')));
    return [...new Set(all.map(({ status, body }) => (status === 200 ? JSON.parse(body).name : status)))].sort().join();
  };
  const until = (what: string, names: string) =>
    eventually(`${what}: ${names}`, async () => (await answers()) === names, patience);
  await until('both registered', 'dies,stays');

  t.is(await first.say(`update ${one} OUT_OF_SERVICE enabled`), 'done');
  await until('out of service by metadata', 'dies');
  t.is(await first.say(`update ${one} UP disabled`), 'done');
  await eventually(
    'disabled',
    async () => (await gateway.record()).foreign?.[0]?.out.join() === 'one: enabled: false',
    patience,
  );
  t.is(await answers(), 'dies');
  t.is(await first.say(`update ${one} UP enabled`), 'done');
  await until('back in service', 'dies,stays');
  await eventually('settled', async () => (await gateway.record()).foreign?.[0]?.routed === 2, patience);

  const written = await root.get('/services/payment/one');
  const { generation } = (await gateway.record()).served;
  await zooKeeper.restart();
  await eventually(
    'Curator has made its nodes anew',
    async () => {
      const nodes = await Promise.all(
        ['one', 'two'].map((id) => root.exists(`/services/payment/${id}`).catch(() => null)),
      );
      t.is(await answers(), 'dies,stays');
      return nodes.every((stat) => stat !== null && stat.czxid > written.stat.czxid + 2);
    },
    patience,
  );
  t.is((await gateway.record()).served.generation, generation, 'deleting and making a node anew reloads nothing');

  await second.kill();
  await dies.kill();
  await eventually('its session expired', async () => (await root.exists('/services/payment/two')) === null, patience);
  await until('killed', 'stays');
  await eventually('not routed', async () => (await gateway.record()).foreign?.[0]?.instances === 1, patience);
  t.is(await first.say(`leave ${one} UP enabled`), 'done');

  const instance = JSON.parse(written.data.toString());
  t.is(instance.payload['@class'], 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance');
  // What Curator's own reader takes, ours takes too.
  const { enabled: _, ...older } = instance;
  const variants = [
    instance,
    older,
    { ...instance, sslPort: 8443, unknown: [1] },
    { ...instance, uriSpec: null, payload: null },
  ];
  for (const variant of [...variants, { ...instance, enabled: false, serviceType: 'DYNAMIC_SEQUENTIAL' }]) {
    const text = JSON.stringify(variant);
    const node = { name: 'one', data: Buffer.from(text), stat: nodeStat() };
    const read = readCuratorInstance(node, { allowLoopback: true, serviceName: 'payment' });
    const theirs = await first.say(`read ${text}`);
    t.is(
      'refused' in read ? read.refused : `${read.address} ${read.port} ${read.says !== 'enabled: false'}`,
      theirs,
      text,
    );
  }
});
