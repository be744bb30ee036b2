/** A gateway that serves what other software registered, beside native registrations, as nginx answers it. */
import test from 'ava';
import type { ForeignRegistry } from '../../specs/nouns.ts';
import { eventually } from '../helpers/eventually.ts';
import { testGateway } from '../helpers/gateway.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { sampleEnvironment, sampleRegistration, sampleService, sampleVersion } from '../helpers/sample-world.ts';

const registry = (
  dialect: ForeignRegistry['dialect'],
  service: ForeignRegistry['services'][number],
  more: Partial<ForeignRegistry> = {},
): ForeignRegistry => ({ dialect, graceMs: 300, services: [service], ...more });

function environmentWith(...registries: ForeignRegistry[]) {
  const environment = sampleEnvironment([sampleService('dns', [sampleVersion('1', 1, 50)])]);
  return { ...environment, gateway: { ...environment.gateway, registries } };
}

test('all dialects at once: routed at their routes, marked, one bad node left out alone, announced leaving immediate', async (t) => {
  const gateway = await testGateway(t);
  const { client } = gateway;
  const [pay, shop, own, joined] = await Promise.all(
    ['pay', 'shop', 'own', 'joined'].map((name) => startBackend(t, name)),
  );
  if (!pay || !shop || !own || !joined) return t.fail();
  await gateway.declare(
    environmentWith(
      registry('curator', { service: 'pay', path: '/spring/pay', route: '/pay', version: 'curator', document: '/api' }),
      registry('nerve', { service: 'shop', path: '/nerve/services/shop/services', route: '/a/shop', version: '7' }),
      registry('serverset', { service: 'dns', path: '/aurora/dns', version: 'finagle', weight: 50, endpoint: 'http' }),
    ),
    1,
  );
  gateway.start();
  const native = sampleRegistration('dns', '1', 1, { address: '127.0.0.1', port: own.port });
  await gateway.register(native);
  await gateway.settled();
  t.deepEqual(
    (await gateway.status()).foreign?.map(({ service, dialect, problem }) => [service, dialect, problem]),
    [
      ['pay', 'curator', ''],
      ['shop', 'nerve', ''],
      ['dns', 'serverset', ''],
    ],
    'paths that nobody made yet are no trouble',
  );
  for (const path of [
    '/spring',
    '/spring/pay',
    '/nerve',
    '/nerve/services',
    '/nerve/services/shop',
    '/aurora',
    '/aurora/dns',
  ])
    await client.create(path);
  await client.create('/nerve/services/shop/services', '{"haproxy":{"listen":["server evil 1.2.3.4"]}}');
  const instance = { name: 'pay', id: 'u-1', address: '127.0.0.1', port: pay.port, enabled: true };
  const ephemeral = { mode: 'ephemeral' } as const;
  await client.create('/spring/pay/u-1', JSON.stringify(instance), ephemeral);
  await client.create('/spring/pay/bad', '{"name":"pay","id":"bad","address":"evil;","port":1}', ephemeral);
  await client.create(
    '/nerve/services/shop/services/i-1_0000000001',
    JSON.stringify({ host: '127.0.0.1', port: shop.port, name: 'i-1', haproxy_server_options: 'cookie } server {' }),
    ephemeral,
  );
  const endpoint = { host: '127.0.0.1', port: joined.port };
  const member = {
    status: 'ALIVE',
    serviceEndpoint: { ...endpoint, port: 1 },
    additionalEndpoints: { http: endpoint },
    shard: 0,
  };
  await client.create('/aurora/dns/member_0000000001', JSON.stringify(member), ephemeral);
  const nameAt = async (path: string) => {
    const { status, body } = await gateway.ask(path);
    return status === 200 ? String(JSON.parse(body).name) : String(status);
  };
  await eventually(
    'all are routed',
    async () => (await nameAt('/pay/x')) === 'pay' && (await nameAt('/a/shop/x')) === 'shop',
  );
  await eventually('both of dns', async () => {
    const names = await Promise.all(Array.from({ length: 8 }, () => nameAt('/dns/x')));
    return names.includes('own') && names.includes('joined');
  });
  const status = await eventually('the status tells all', async () => {
    const said = await gateway.status();
    return said.routes.flatMap(({ instances }) => instances).length === 4 ? said : null;
  });
  t.deepEqual(
    status.routes
      .flatMap(({ instances }) => instances.map(({ version, dialect, path }) => [version, dialect, path]))
      .sort(),
    [
      ['1', undefined, native.path],
      ['7', 'nerve', 'nerve:/nerve/services/shop/services/i-1_0000000001'],
      ['curator', 'curator', 'curator:/spring/pay/u-1'],
      ['finagle', 'serverset', 'serverset:/aurora/dns/member_0000000001'],
    ],
  );
  t.deepEqual(status.rejected, [{ path: 'curator:/spring/pay/bad', reason: 'address is not an IP address' }]);
  t.is(status.routes.find(({ service }) => service === 'pay')?.document, '/api');
  t.like(status.foreign?.[2], { service: 'dns', version: 'finagle', instances: 1, routed: 1 });

  await client.set('/spring/pay/u-1', JSON.stringify({ ...instance, enabled: false }));
  await eventually('announced leaving', async () => (await nameAt('/pay/x')) === '503');
  await eventually('its own word is told', async () => (await gateway.record()).foreign?.[0]?.routed === 0);
  t.like((await gateway.record()).foreign?.[0], { instances: 1, routed: 0, out: ['u-1: enabled: false'] });
  await client.set('/spring/pay/u-1', JSON.stringify(instance));
  await eventually('back', async () => (await nameAt('/pay/x')) === 'pay');

  await eventually('its own word is told again', async () => (await gateway.record()).foreign?.[0]?.routed === 1);
  const before = (await gateway.record()).served.generation;
  for (let n = 0; n < 5; n += 1) {
    await client.delete('/spring/pay/u-1');
    await client.create('/spring/pay/u-1', JSON.stringify(instance), ephemeral);
    t.is(await nameAt('/pay/x'), 'pay');
  }
  await gateway.settled();
  t.is((await gateway.record()).served.generation, before, 'flaps cause no reload');

  await gateway.end();
  gateway.start();
  await gateway.settled();
  t.is((await gateway.record()).served.generation, before, 'a restart takes the known ones over');
  await pay.kill();
  await client.delete('/spring/pay/u-1');
  await eventually('gone after the grace and a probe', async () => (await nameAt('/pay/x')) === '503');
  await gateway.declare(environmentWith(), 2);
  await eventually('taken out of the declaration: gone at once', async () => (await nameAt('/a/shop/x')) === '404');
  t.is(await nameAt('/dns/x'), 'own');
});
