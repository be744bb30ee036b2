/** What formatting promises on any registry. */
import type { TestFn } from 'ava';
import { paths, rootNodes } from '../../../registrar/layout.ts';
import { formatRegistry, readCluster } from '../../../registrar/recipes/format-registry.ts';
import { readSuspended } from '../../../registrar/recipes/suspension.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { readRegistry } from '../../../registrar/store/read-registry.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { clusterId, formatted, type OpenRegistry } from './shared.ts';

export function testFormat(test: TestFn, open: OpenRegistry): void {
  test('an empty registry is formatted once, whoever is first', async (t) => {
    const connect = await open(t);
    const clients = await Promise.all([connect(), connect(), connect()]);
    const made = await Promise.all(clients.map((client) => formatRegistry(client, systemClock, { clusterId })));
    t.is(new Set(made.map((cluster) => cluster.createdAt)).size, 1);
    const [client] = clients;
    if (!client) return;
    for (const path of rootNodes) t.truthy(await client.exists(path), path);
    t.deepEqual((await readSuspended(client)).record.suspended, false);
    t.is((await readCluster(client, { clusterId })).id, clusterId);
  });

  test('a registry of another cluster, of none, or half wiped is refused', async (t) => {
    const connect = await open(t);
    const client = await connect();
    await t.throwsAsync(readCluster(client), { code: 'CLUSTER_MISMATCH' });
    await formatRegistry(client, systemClock, { clusterId });
    await t.throwsAsync(readCluster(client, { clusterId: 'other' }), { code: 'CLUSTER_MISMATCH' });
    await t.throwsAsync(formatRegistry(client, systemClock, { clusterId: 'other' }), { code: 'CLUSTER_MISMATCH' });
    await client.delete(paths.epoch);
    await t.throwsAsync(formatRegistry(client, systemClock, { clusterId }), { code: 'CLUSTER_MISMATCH' });
    await client.delete(paths.cluster);
    await t.throwsAsync(formatRegistry(client, systemClock, { clusterId }), { code: 'CLUSTER_MISMATCH' });
    await t.throwsAsync(readRegistry(client, { allowLoopback: true }), { code: 'CLUSTER_MISMATCH' });
  });

  test('a layout format that is not ours is refused', async (t) => {
    const { client } = await formatted(t, open);
    await client.set(paths.cluster, encode(codecs.cluster, { id: clusterId, format: 99, createdAt: 1 }));
    await t.throwsAsync(readCluster(client), { code: 'CLUSTER_MISMATCH', message: /format 99/ });
  });
}
