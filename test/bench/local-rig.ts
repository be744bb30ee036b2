/** A local environment for a benchmark, driven by the functions behind the commands; all of it ends with the benchmark, Ctrl-C included. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWorld } from '../../mcp/control/read-status.ts';
import { ownerOptions, readSecret } from '../../mcp/local/secret.ts';
import { registryOf, statePaths } from '../../mcp/local/state.ts';
import type { RegistryPart } from '../../mcp/view/status-view.ts';
import { readRollout } from '../../registrar/recipes/rollout-documents.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import type { RolloutRecord } from '../../registrar/rollout-records.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { startEnvironment, type TestEnvironment } from '../helpers/local-environment.ts';
import { Interrupted } from './interrupted.ts';
import { waitUntil } from './vm-rig.ts';

export interface LocalRig {
  env: TestEnvironment;
  client: RegistryClient;
  signal: AbortSignal;
  read(): Promise<RegistryPart>;
  /** Waits until the service's last rollout is over, and gives it. */
  rolledOut(service: string): Promise<RolloutRecord>;
}

/** `file` is the text of the environment to bring up. */
export async function withLocalRig<T>(file: string, use: (rig: LocalRig) => Promise<T>): Promise<T> {
  const interrupted = new AbortController();
  const stop = () => interrupted.abort(new Interrupted());
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  const ends: (() => unknown)[] = [];
  const { signal } = interrupted;
  try {
    const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-'));
    ends.push(() => rm(dir, { recursive: true, force: true }));
    const path = join(dir, 'environment.yaml');
    await writeFile(path, file);
    const env = await startEnvironment(
      {
        log: Object.assign(console.error, { skip: () => {} }),
        teardown: (end) => void ends.push(end as () => unknown),
      },
      { file: path },
    );
    const auth = ownerOptions(readSecret(statePaths(env.dir).secret));
    const client = await connectZooKeeper(registryOf(env.state), { sessionTimeoutMs: 30_000, ...auth });
    ends.push(() => client.close());
    signal.throwIfAborted();
    return await use(rigOf(env, client, signal));
  } finally {
    for (const end of ends.reverse()) await Promise.resolve(end()).catch((error: unknown) => console.error(error));
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

const over = new Set(['done', 'reverted', 'superseded']);

function rigOf(env: TestEnvironment, client: RegistryClient, signal: AbortSignal): LocalRig {
  return {
    env,
    client,
    signal,
    read: async () => (await readWorld(client, { signal, allowLoopback: true })).registry,
    async rolledOut(service) {
      let record: RolloutRecord | undefined;
      const isOver = async () => {
        record = (await readRollout(client, service))?.record;
        return over.has(record?.phase ?? 'none');
      };
      await waitUntil(`the rollout of ${service} is over`, isOver, { signal }, 240_000);
      if (!record) throw new Error(`${service} was never rolled out`);
      return record;
    },
  };
}
