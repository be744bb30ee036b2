/** A registry and a cloud in memory, formatted and declared, for tests of the controller's parts. */
import type { ExecutionContext } from 'ava';
import type { ExecuteInput } from '../../../mcp/control/execute-input.ts';
import { SlowCalls } from '../../../mcp/control/slow-calls.ts';
import type { CreationResult } from '../../../mcp/plan/remember.ts';
import { paths } from '../../../registrar/layout.ts';
import { publishDesired } from '../../../registrar/recipes/desired-document.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import type { MachineRecord } from '../../../registrar/records.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { codecs, decode, encode } from '../../../registrar/store/codecs.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import type { Service } from '../../../specs/nouns.ts';
import { FakeProvider } from '../../../vm-factory/fake/fake-provider.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

export const clusterId = 'test';

export interface Setup {
  clock: ManualClock;
  registry: FakeRegistry;
  provider: FakeProvider;
  client: RegistryClient;
  input: ExecuteInput;
  /** What the execution told. */
  told: { wrote: number[]; created: CreationResult[]; destroyAsked: string[] };
  declare(services: Service[], pool?: number): Promise<void>;
  machine(record: Partial<MachineRecord> & { uuid: string }): Promise<void>;
  ledger(uuid: string): Promise<MachineRecord | null>;
}

export async function setUp(t: ExecutionContext): Promise<Setup> {
  const clock = new ManualClock();
  const registry = new FakeRegistry({ clock });
  const provider = new FakeProvider({ clock, clusterId });
  const client = await registry.connect();
  await formatRegistry(client, clock, { clusterId });
  const told: Setup['told'] = { wrote: [], created: [], destroyAsked: [] };
  const { stat } = await client.get(paths.epoch);
  t.teardown(() => provider.close());
  return {
    clock,
    registry,
    provider,
    client,
    told,
    input: {
      client,
      provider,
      clock,
      epoch: stat.version,
      clusterId,
      actor: 'controller:test',
      registry: 'test',
      slowCalls: new SlowCalls(2),
      listener: {
        wrote: (zxid) => told.wrote.push(zxid),
        created: (result) => told.created.push(result),
        destroyAsked: (uuid) => told.destroyAsked.push(uuid),
      },
      signal: new AbortController().signal,
    },
    async declare(services, pool = 0) {
      const environment = {
        name: 'test',
        pool: { size: pool, image: 'process' },
        gateway: { title: '', description: '' },
        services,
      };
      await publishDesired(client, { environment, author: 'test', reason: '', allowance: {}, at: clock.now() });
    },
    async machine(words) {
      const record: MachineRecord = {
        provider: 'fake',
        image: 'process',
        state: 'ready',
        operation: `create-${words.uuid}`,
        epoch: stat.version,
        createdAt: clock.now(),
        changedAt: clock.now(),
        ...words,
      };
      await client.create(paths.machine(record.uuid), encode(codecs.machine, record));
      const agent = { machine: record.uuid, phase: 'idle' as const, reason: '', at: clock.now(), starts: 0 };
      await client.create(paths.agent(record.uuid), encode(codecs.agent, agent), { mode: 'ephemeral' });
      await provider.create({
        uuid: record.uuid,
        operation: record.operation,
        clusterId,
        image: record.image,
        registry: 'test',
      });
    },
    async ledger(uuid) {
      const path = paths.machine(uuid);
      if ((await client.exists(path)) === null) return null;
      return decode(codecs.machine, path, (await client.get(path)).data);
    },
  };
}
