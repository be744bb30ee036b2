import test from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { listHistory, publishDesired, readDeclared, readDesired } from '../../../registrar/recipes/desired-document.ts';
import { commit } from '../../../registrar/recipes/epoch-guard.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import { suspend } from '../../../registrar/recipes/suspension.ts';
import { updateDocument, writeAttempts } from '../../../registrar/recipes/versioned-document.ts';
import { codecs } from '../../../registrar/store/codecs.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { sampleEnvironment } from '../../helpers/environment.ts';
import { intercept } from '../../helpers/intercept.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

async function setUp() {
  const registry = new FakeRegistry();
  const client = await registry.connect();
  await formatRegistry(client, new ManualClock(), { clusterId: 'c' });
  return { registry, client };
}

const declaration = { environment: sampleEnvironment(), author: 'operator:ann', reason: '', allowance: {}, at: 5 };

test('a declaration whose reply was lost is recognised, not declared twice', async (t) => {
  const { registry, client } = await setUp();
  let calls = 0;
  const shaky = intercept(client, {
    multi: (...request) => {
      calls += 1;
      if (calls === 1) registry.dropNextReply(client);
      return client.multi(...request);
    },
  });
  const record = await publishDesired(shaky, { ...declaration, expectGeneration: 0 });
  t.is(record.generation, 1);
  t.is(calls, 1);
  t.deepEqual(await listHistory(client), [1]);
  t.deepEqual((await readDesired(client))?.record, record);
});

test('a declaration that was lost on its way is made by the next try', async (t) => {
  const { registry, client } = await setUp();
  let calls = 0;
  const shaky = intercept(client, {
    multi: (...request) => {
      calls += 1;
      const done = client.multi(...request);
      if (calls > 1) return done;
      registry.suspend(client);
      registry.resume(client);
      return done;
    },
  });
  t.is((await publishDesired(shaky, declaration)).generation, 1);
  t.is(calls, 2);
});

test('a document that others keep changing is given up after a bounded number of tries', async (t) => {
  const { client } = await setUp();
  let tries = 0;
  const update = updateDocument(
    intercept(client, {
      set: async (path, data, version) => {
        tries += 1;
        await client.set(path, data);
        return client.set(path, data, version);
      },
    }),
    paths.suspended,
    codecs.suspended,
    () => ({ suspended: true, reason: 'r', by: 'b', at: 1 }),
  );
  await t.throwsAsync(update, { code: 'WRITE_CONFLICT' });
  t.is(tries, writeAttempts);
});

test('a guarded write whose reply was lost says that its outcome is unknown', async (t) => {
  const { registry, client } = await setUp();
  registry.dropNextReply(client);
  const error = await t.throwsAsync(commit(client, 0, [{ op: 'create', path: `${paths.machines}/m` }]), {
    code: 'WRITE_UNKNOWN',
  });
  t.like(error, { retryable: true });
  t.truthy(await client.exists(`${paths.machines}/m`));
});

test('a brake whose node is missing is no brake that is off', async (t) => {
  const { client } = await setUp();
  await client.delete(paths.suspended);
  await t.throwsAsync(suspend(client, { reason: '', by: '', at: 1 }), { code: 'CLUSTER_MISMATCH' });
});

test('where /desired is damaged or gone, its newest good copy counts, and the next declaration replaces it', async (t) => {
  const { client } = await setUp();
  t.deepEqual(await readDeclared(client), { record: null, version: null, damage: null });
  await publishDesired(client, declaration);
  const second = await publishDesired(client, declaration);
  await client.create(paths.historyOf(3), 'torn');
  await client.set(paths.desired, '{"generation":');
  const damaged = await readDeclared(client);
  t.deepEqual(damaged.record, second);
  t.regex(damaged.damage ?? '', /not JSON/);
  await client.delete(paths.historyOf(3));
  t.is((await publishDesired(client, { ...declaration, expectGeneration: 2 })).generation, 3);
  t.is((await readDesired(client))?.record.generation, 3);
  await client.delete(paths.desired);
  t.is((await readDeclared(client)).record?.generation, 3);
  t.is((await publishDesired(client, declaration)).generation, 4);
});

test('where the history is gone too the registry was wiped, and nothing is declared in it', async (t) => {
  const { client } = await setUp();
  await client.delete(paths.history);
  await t.throwsAsync(readDeclared(client), { code: 'CLUSTER_MISMATCH', message: /wiped/ });
  await t.throwsAsync(publishDesired(client, declaration), { code: 'CLUSTER_MISMATCH' });
});
