/** An empty corner of a real server, each client behind a proxy of its own that can break. */
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { ZooKeeperOptions } from '../../registrar/zookeeper/client.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import type { RegistryUnderTest } from '../conformance/registry-client.ts';
import { eventually } from './eventually.ts';
import { TcpProxy } from './tcp-proxy.ts';
import type { TestZooKeeper } from './zookeeper.ts';

/** A ping's reply has 20 bytes with its length; every other reply more. */
const pingBytes = 20;
/** On a busy machine. */
const patienceMs = 40_000;

export interface ProxiedRegistry extends RegistryUnderTest {
  connect(options?: ZooKeeperOptions): Promise<RegistryClient>;
  proxyOf(client: RegistryClient): TcpProxy;
}

/** Clients and proxies are closed at the test's end. */
export async function proxiedRegistry(t: ExecutionContext, server: TestZooKeeper): Promise<ProxiedRegistry> {
  const chroot = `/test-${randomUUID()}`;
  const maker = await connectZooKeeper(server.connectString + chroot);
  await maker.create('/');
  await maker.close();
  const proxies = new Map<RegistryClient, TcpProxy>();
  t.teardown(async () => {
    for (const [client, proxy] of proxies) {
      proxy.heal();
      await client.close();
      await proxy.stop();
    }
  });
  const proxyOf = (client: RegistryClient): TcpProxy => {
    const proxy = proxies.get(client);
    if (!proxy) throw new Error('not a client of this test');
    return proxy;
  };
  const restore = async (client: RegistryClient) => {
    proxyOf(client).heal();
    await eventually('the client to connect again', () => client.state === 'connected', patienceMs);
  };
  return {
    proxyOf,
    restore,
    connect: async (options = {}) => {
      const proxy = await TcpProxy.start(server.port);
      const connectString = `127.0.0.1:${proxy.port}${chroot}`;
      const client = await connectZooKeeper(connectString, { sessionTimeoutMs: 30_000, ...options }).catch(
        async (error) => {
          await proxy.stop();
          throw error;
        },
      );
      proxies.set(client, proxy);
      return client;
    },
    interrupt: async (client) => {
      proxyOf(client).refuse();
      await eventually('the client to be suspended', () => client.state === 'suspended', patienceMs);
    },
    expire: async (client) => {
      const path = `/expires-with-${client.sessionId}`;
      await client.create(path, '', { mode: 'ephemeral' });
      proxyOf(client).refuse();
      const witness = await connectZooKeeper(server.connectString + chroot);
      await eventually('the session to expire', async () => (await witness.exists(path)) === null, patienceMs);
      await witness.close();
      proxyOf(client).heal();
      await eventually('the client to know', () => client.state === 'expired', patienceMs);
    },
    losingTheReply: async (client, call) => {
      const proxy = proxyOf(client);
      proxy.drop('replies');
      const outcome = call();
      outcome.catch(() => {});
      await eventually('the reply to be swallowed', () => proxy.droppedBytes > 2 * pingBytes, patienceMs);
      proxy.cut();
      await restore(client);
      return outcome;
    },
  };
}
