/** A registry for the virtual machines of a test file, and what each of its tests begins with. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext, TestFn } from 'ava';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { AgentWorldForTest, clusterId } from './agent-world.ts';
import { sha256 } from './make-tar.ts';
import { bakedImage, qemuBench } from './qemu-machines.ts';
import { startZooKeeper, type TestZooKeeper } from './zookeeper.ts';

const sessionTimeoutMs = 10_000;

/** Started, with the image baked, before the file's first test; stopped after its last. Gives what gives it. */
export function registryForMachines(test: TestFn): () => TestZooKeeper {
  let server: TestZooKeeper | null = null;
  test.before(async (t) => {
    t.timeout(600_000);
    server = await startZooKeeper();
    await bakedImage();
  });
  test.after.always(() => server?.stop());
  return () => {
    if (!server) throw new Error('the registry did not start');
    return server;
  };
}

/** A machine in the ledger, and a provider on a folder of its own whose artifacts hold the service. */
export async function machineBench(t: ExecutionContext, server: TestZooKeeper, serviceSource: string) {
  t.timeout(600_000);
  const registry = `${server.connectString}/mcp`;
  const connect = () => connectZooKeeper(registry, { sessionTimeoutMs });
  const world = await AgentWorldForTest.make(t, connect);
  const { dir, open } = await qemuBench(t);
  const artifacts = join(dir, 'artifacts');
  await mkdir(artifacts, { recursive: true });
  const digest = sha256(Buffer.from(serviceSource));
  await writeFile(join(artifacts, `${digest}.mjs`), serviceSource);
  const version = await world.version({
    artifact: { url: 'file:///only/the/host/has/this/service.mjs', sha256: digest },
    health: { kind: 'http', path: '/', intervalMs: 200, timeoutMs: 5_000, rise: 1, fall: 3 },
  });
  const provider = open({ clusterId, artifacts, sessionTimeoutMs });
  return { dir, registry, connect, world, version, open, provider };
}
