/** Three servers that are killed under a client's writes. */
import test from 'ava';
import type { RegistryClient, SessionState } from '../../../registrar/registry-client.ts';
import { connectZooKeeper } from '../../../registrar/zookeeper/client.ts';
import { serverMode } from '../../../registrar/zookeeper/server.ts';
import { isMcpError } from '../../../specs/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import type { TestZooKeeper } from '../../helpers/zookeeper.ts';
import { startEnsemble } from '../../helpers/zookeeper.ts';

let servers: TestZooKeeper[] = [];
test.before(async () => {
  servers = await startEnsemble(3);
});
test.after.always(() => Promise.all(servers.map((server) => server.stop())));

async function leader(): Promise<TestZooKeeper> {
  return eventually('a leader', async () => {
    for (const server of servers) if ((await serverMode(server.port)) === 'leader') return server;
    return null;
  });
}

/** Creates a node that nobody else makes; where the outcome is unknown, tries again and finds out. */
async function createSurely(client: RegistryClient, path: string): Promise<void> {
  for (;;) {
    try {
      await client.create(path);
      return;
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NODE_EXISTS')) return;
      if (!isMcpError(error, 'REGISTRY_CONNECTION_LOSS')) throw error;
    }
  }
}

/** Writes one node after the other until told to stop. */
function writeSteadily(client: RegistryClient, folder: string) {
  const acknowledged: string[] = [];
  let stopped = false;
  const done = (async () => {
    for (let n = 0; !stopped; n++) {
      await createSurely(client, `${folder}/n${n}`);
      acknowledged.push(`n${n}`);
    }
  })();
  return {
    acknowledged,
    stop: () => {
      stopped = true;
      return done;
    },
  };
}

test.serial(
  'killing the leader under writes loses no acknowledged write, no session and no ephemeral node',
  async (t) => {
    const connectString = servers.map((server) => server.connectString).join(',');
    const client = await connectZooKeeper(connectString, { sessionTimeoutMs: 30_000 });
    t.teardown(() => client.close());
    const { sessionId } = client;
    const states: SessionState[] = [];
    client.onState((state) => void states.push(state));
    await client.create('/killing', '');
    await client.create('/mine', '', { mode: 'ephemeral' });

    const writing = writeSteadily(client, '/killing');
    for (let round = 0; round < 2; round++) {
      await eventually('some writes', () => writing.acknowledged.length > (round + 1) * 50, 40_000);
      const victim = await leader();
      const before = writing.acknowledged.length;
      await victim.kill();
      await eventually('writes to go on under a new leader', () => writing.acknowledged.length > before + 50, 40_000);
      await victim.restart();
    }
    await writing.stop();

    t.is(client.sessionId, sessionId);
    t.false(states.includes('expired'));
    t.true(states.includes('suspended'), 'the client noticed');
    for (const server of servers) {
      const reader = await connectZooKeeper(server.connectString);
      await reader.sync('/killing');
      const there = new Set((await reader.children('/killing')).children);
      t.deepEqual(
        writing.acknowledged.filter((name) => !there.has(name)),
        [],
      );
      t.is(there.size, writing.acknowledged.length, 'nothing is there twice or unasked');
      t.is((await reader.exists('/mine'))?.ephemeralOwner, sessionId);
      await reader.close();
    }
  },
);

test.serial('without a quorum requests wait; with it they go on in the same session', async (t) => {
  const [first, second, third] = servers;
  if (!first || !second || !third) throw new Error('three servers');
  const client = await connectZooKeeper(servers.map((server) => server.connectString).join(','), {
    sessionTimeoutMs: 30_000,
  });
  t.teardown(() => client.close());
  const { sessionId } = client;
  await client.create('/before', '', { mode: 'ephemeral' });
  await Promise.all([first.kill(), second.kill()]);
  await eventually('the client to be suspended', () => client.state === 'suspended', 40_000);
  const waiting = createSurely(client, '/after');
  await Promise.all([first.restart(), second.restart()]);
  await waiting;
  t.is(client.sessionId, sessionId);
  t.is((await client.exists('/before'))?.ephemeralOwner, sessionId);
});
