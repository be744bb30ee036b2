/** Registrations in a ZooKeeper that is not MCP's: what becomes of it costs the others nothing. */
import test from 'ava';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { freePort } from '../helpers/free-port.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';

const patience = 60_000;

test('a second ensemble comes after the gateway, dies, comes back: its services follow, and no route of the first is lost', async (t) => {
  const port = await freePort();
  const hosts = `127.0.0.1:${port}`;
  const connectEnsemble = (to: string) => (options?: { signal?: AbortSignal }) =>
    connectZooKeeper(to, { sessionTimeoutMs: 20_000, ...options });
  const gateway = await testGateway(t, { connectEnsemble });
  const backends = await Promise.all(['dns', 'shop', 'pay'].map((name) => startBackend(t, name)));
  const [dns = 0, shop = 0, pay = 0] = backends.map((backend) => backend.port);
  const of = (service: string) => ({ service, path: `/services/${service}`, route: `/${service}`, version: '1' });
  const environment = sampleEnvironment([sampleService('dns', [sampleVersion('1', 1)])]);
  const registries = [
    { dialect: 'curator' as const, graceMs: 500, services: [of('shop')] },
    { dialect: 'curator' as const, graceMs: 500, connect: hosts, services: [of('pay')] },
  ];
  await gateway.declare({ ...environment, gateway: { ...environment.gateway, registries } }, 1);
  await gateway.register(sampleRegistration('dns', '1', 1, { address: '127.0.0.1', port: dns }));
  const instance = (name: string, at: number) => JSON.stringify({ name, id: 'one', address: '127.0.0.1', port: at });
  await gateway.client.create('/services/shop');
  await gateway.client.create('/services/shop/one', instance('shop', shop), { mode: 'ephemeral' });
  gateway.start();

  const answers = async () => {
    const all = await Promise.all(['/dns/x', '/shop/x', '/pay/x'].map((path) => gateway.ask(path)));
    return all.map(({ status, body }) => (status === 200 ? String(JSON.parse(body).name) : String(status))).join();
  };
  const until = (what: string, wanted: string) =>
    eventually(`${what}: ${wanted}`, async () => (await answers().catch(() => '')) === wanted, patience);
  const problem = async () => (await gateway.status()).foreign?.find(({ service }) => service === 'pay')?.problem;
  await until('without the second', 'dns,shop,503');
  await eventually('told', async () => (await problem()) !== '', patience);

  const zooKeeper = await startZooKeeper({ port });
  t.teardown(() => zooKeeper.stop());
  const theirs = await connectEnsemble(hosts)();
  t.teardown(() => theirs.close());
  await theirs.create('/services');
  await theirs.create('/services/pay');
  await theirs.create('/services/pay/one', instance('pay', pay), { mode: 'ephemeral' });
  await until('the second came', 'dns,shop,pay');
  await eventually('told no more', async () => (await problem()) === '', patience);
  const { generation } = (await gateway.record()).served;

  await zooKeeper.kill();
  await eventually('its loss is told', async () => (await problem()) !== '', patience);
  t.is(await answers(), 'dns,shop,pay', 'what was read stays');
  await gateway.register(sampleRegistration('mail', '1', 2, { address: '127.0.0.1', port: dns }));
  await eventually('the first is followed', async () => (await gateway.ask('/mail/x')).status === 200, patience);
  await gateway.end();
  gateway.start();
  await gateway.settled();
  await eventually('told after a restart', async () => !['', undefined].includes(await problem()), patience);
  t.is(await answers(), 'dns,shop,pay', 'over a restart too');

  await zooKeeper.restart();
  await eventually('read again', async () => (await problem()) === '', patience);
  t.is(await answers(), 'dns,shop,pay');
  t.true(
    (await gateway.record()).served.generation - generation <= 2,
    'neither its loss nor its return changes routes',
  );
  await theirs.set('/services/pay/one', JSON.stringify({ ...JSON.parse(instance('pay', pay)), enabled: false }));
  await until('followed again', 'dns,shop,503');
});
