import test from 'ava';
import { FakeRegistry } from '../../registrar/zookeeper/fake.ts';
import { registryClientConformance } from './registry-client.ts';

registryClientConformance(test, async () => {
  const registry = new FakeRegistry({ clock: Date });
  return {
    connect: ({ queueLimit } = {}) => registry.connect({ queueLimit }),
    interrupt: async (client) => registry.suspend(client),
    restore: async (client) => registry.resume(client),
    expire: async (client) => registry.expire(client),
    losingTheReply: (client, call) => {
      registry.dropNextReply(client);
      return call();
    },
  };
});
