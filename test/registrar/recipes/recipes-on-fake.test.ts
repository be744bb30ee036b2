import test from 'ava';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { testRecipes } from '../../conformance/recipes.ts';

testRecipes(test, async (t) => {
  const registry = new FakeRegistry();
  const clients: RegistryClient[] = [];
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  return async () => {
    const client = await registry.connect();
    clients.push(client);
    return client;
  };
});
