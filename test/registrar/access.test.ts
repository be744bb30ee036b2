/** Attacks by a machine that somebody took over, on a real server: each is denied. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { machineAcl, RegistryAccess } from '../../registrar/access.ts';
import { paths } from '../../registrar/layout.ts';
import { formatRegistry } from '../../registrar/recipes/format-registry.ts';
import { secureRegistry } from '../../registrar/recipes/secure-registry.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { digestId } from '../../registrar/zookeeper/acl.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { startZooKeeper, type TestZooKeeper } from '../helpers/zookeeper.ts';

const credential = 'mcp:the-environment-s-own-secret';
const access = new RegistryAccess(credential);
const owner = { auth: [{ scheme: 'digest', auth: credential }], aclOf: access.aclOf };
const denied = { code: 'REGISTRY_NO_AUTH' };
let server: TestZooKeeper;

test.before(async () => {
  server = await startZooKeeper();
});
test.after.always(() => server?.stop());

/** A registry with two services and a machine in each, and what these two may do. */
async function bench(t: ExecutionContext, { secured = true } = {}) {
  const registry = `${server.connectString}/mcp-${randomUUID()}`;
  const connect = async (options: Parameters<typeof connectZooKeeper>[1]) => {
    const client = await connectZooKeeper(registry, { sessionTimeoutMs: 10_000, ...options });
    t.teardown(() => client.close());
    return client;
  };
  const admin = await connect(secured ? owner : { auth: owner.auth });
  await formatRegistry(admin, systemClock, { clusterId: 'c' });
  for (const service of ['dns', 'mail']) {
    for (const path of [paths.service(service), paths.version(service, '1'), paths.config(service)])
      await admin.create(path, '{"secret":1}');
  }
  await admin.create(paths.desired, 'everything');
  await admin.create(paths.gateway('gateway-1'), '{}');
  const machine = async (service: string) => {
    const uuid = randomUUID();
    await admin.create(paths.machine(uuid), '{}');
    await admin.create(paths.assignment(uuid), '{}');
    const rights = access.machine(uuid);
    const key = access.serviceKey(service);
    const client = await connect({ auth: rights.auth, aclOf: () => machineAcl(rights, key) });
    await client.addAuth('digest', key);
    return { uuid, service, client, mine: paths.registration(service, '1', uuid) };
  };
  return { admin, connect, machine };
}

test('a machine reads what it needs, tells of itself, and registers in its own service', async (t) => {
  const { admin, machine } = await bench(t);
  const { uuid, client, mine } = await machine('dns');
  for (const path of [paths.cluster, paths.machine(uuid), paths.assignment(uuid), paths.config('dns')])
    t.true((await client.get(path)).data.length > 0, path);
  t.deepEqual((await client.children(paths.gateways)).children, ['gateway-1']);
  await client.get(paths.gateway('gateway-1'));
  await admin.create(paths.quarantine(uuid), 'port', { mode: 'ephemeral' });
  t.is((await client.get(paths.quarantine(uuid))).data.toString(), 'port');
  await client.create(paths.agent(uuid), 'idle', { mode: 'ephemeral' });
  await client.set(paths.agent(uuid), 'serving');
  await client.create(mine, 'up', { mode: 'ephemeral' });
  await client.set(mine, 'draining');
  t.is((await admin.get(mine)).data.toString(), 'draining');
  // The environment takes away what a dead machine left.
  await admin.delete(mine);
  await admin.delete(paths.agent(uuid));
});

test('a machine neither reads nor changes what is not its own', async (t) => {
  const { admin, machine } = await bench(t);
  const [rogue, victim] = [await machine('dns'), await machine('mail')];
  await victim.client.create(paths.agent(victim.uuid), 'serving', { mode: 'ephemeral' });
  await victim.client.create(victim.mine, 'up', { mode: 'ephemeral' });
  const { client } = rogue;
  await admin.create(paths.quarantine(victim.uuid), 'port');
  const secrets = [
    paths.quarantine(victim.uuid),
    paths.desired,
    paths.suspended,
    paths.config('mail'),
    paths.machine(victim.uuid),
    paths.assignment(victim.uuid),
    paths.agent(victim.uuid),
    victim.mine,
  ];
  for (const path of secrets) {
    await t.throwsAsync(client.get(path), denied, path);
    await t.throwsAsync(client.set(path, 'forged'), denied, path);
    await t.throwsAsync(client.delete(path), denied, path);
    await t.throwsAsync(client.setAcl(path, access.aclOf('/')), denied, path);
  }
  const forgeries = [
    paths.machine(randomUUID()),
    paths.agent(victim.uuid).replace('/agent', '/forged'),
    paths.registration('mail', '1', rogue.uuid),
    paths.version('dns', '2'),
    paths.service('evil'),
    paths.gateway('gateway-2'),
    `${paths.events}/e_1`,
    '/forged',
  ];
  for (const path of forgeries) await t.throwsAsync(client.create(path, 'forged'), denied, path);
  for (const path of [paths.machine(rogue.uuid), paths.assignment(rogue.uuid), paths.epoch, paths.cluster])
    await t.throwsAsync(client.set(path, 'forged'), denied, path);
});

test('of its own service a machine sees its fellows, and takes none of them away', async (t) => {
  const { machine } = await bench(t);
  const { uuid, client, mine } = await machine('dns');
  await client.create(paths.agent(uuid), 'serving', { mode: 'ephemeral' });
  await client.create(mine, 'up', { mode: 'ephemeral' });
  const rogue = (await machine('dns')).client;
  t.is((await rogue.get(paths.agent(uuid))).data.toString(), 'serving');
  await t.throwsAsync(rogue.set(mine, 'forged'), denied);
  await t.throwsAsync(rogue.delete(mine), denied);
  const { acl } = await rogue.getAcl(mine);
  t.false(
    acl.some(({ id }) => id === digestId(credential) || id === digestId(access.machine(uuid).auth[0]?.auth ?? '')),
    'the server shows nobody the others’ ids',
  );
});

test('rights of an older registry are brought up to date', async (t) => {
  const { admin, machine } = await bench(t, { secured: false });
  const { client, mine } = await machine('dns');
  await t.throwsAsync(client.get(paths.cluster), denied);
  await t.throwsAsync(client.create(mine, 'up', { mode: 'ephemeral' }), denied);
  await secureRegistry(admin, access);
  await client.get(paths.cluster);
  await client.get(paths.config('dns'));
  await client.create(mine, 'up', { mode: 'ephemeral' });
  await t.throwsAsync(client.get(paths.config('mail')), denied);
});
