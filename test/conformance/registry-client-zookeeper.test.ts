import test from 'ava';
import { proxiedRegistry } from '../helpers/registry-under-test.ts';
import type { TestZooKeeper } from '../helpers/zookeeper.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { registryClientConformance } from './registry-client.ts';

let server: TestZooKeeper;
test.before(async () => {
  server = await startZooKeeper();
});
test.after.always(() => server?.stop());

registryClientConformance(test, (t) => proxiedRegistry(t, server));
