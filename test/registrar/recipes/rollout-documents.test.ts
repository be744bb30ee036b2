/** Declaration and rollouts are read as of one moment, and in as few answers' time as can be. */
import test from 'ava';
import { paths } from '../../../registrar/layout.ts';
import { declareOps, nextDeclaration, readDeclared } from '../../../registrar/recipes/desired-document.ts';
import { formatRegistry } from '../../../registrar/recipes/format-registry.ts';
import { withRollouts } from '../../../registrar/recipes/rollout-documents.ts';
import type { RegistryClient } from '../../../registrar/registry-client.ts';
import { codecs, encode } from '../../../registrar/store/codecs.ts';
import { FakeRegistry } from '../../../registrar/zookeeper/fake.ts';
import { sampleEnvironment } from '../../helpers/environment.ts';
import { intercept } from '../../helpers/intercept.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';
import { SmallService } from '../../mcp/rollout/small-service.ts';

async function setUp() {
  const registry = new FakeRegistry();
  const client = await registry.connect();
  await formatRegistry(client, new ManualClock(), { clusterId: 'c' });
  await (await declaring(client, 'dns'))();
  return { client, other: await registry.connect() };
}

/** Declares the next generation, and with it a rollout of the service that says its number, once it is called. */
async function declaring(client: RegistryClient, service: string): Promise<() => Promise<unknown>> {
  const { record: before, version } = await readDeclared(client);
  const words = { environment: sampleEnvironment(), author: 'operator:ann', reason: '', allowance: {}, at: 5 };
  const record = nextDeclaration(before, words);
  const path = paths.rollout(service);
  const data = encode(codecs.rollout, { ...new SmallService().record, service, at: record.generation });
  const isThere = (await client.exists(path)) !== null;
  const ops = declareOps(record, version);
  return () => client.multi([...ops, isThere ? { op: 'set', path, data, version: -1 } : { op: 'create', path, data }]);
}

test('what is known is asked for at once, with the list of what may be new', async (t) => {
  const { client } = await setUp();
  let [asked, answered] = [0, 0];
  const early: number[] = [];
  const counted =
    <A extends unknown[], R>(call: (...request: A) => Promise<R>) =>
    async (...request: A) => {
      asked += 1;
      early.push(answered);
      const answer = await call(...request);
      answered += 1;
      return answer;
    };
  const watched = intercept(client, {
    exists: counted(client.exists.bind(client)),
    get: counted(client.get.bind(client)),
    children: counted(client.children.bind(client)),
  });
  const [declared, rollouts] = await withRollouts(watched, () => readDeclared(watched), { known: ['dns'] });
  t.is(declared.record?.generation, rollouts.dns?.record.at);
  t.is(asked, 5);
  t.true(
    early.every((number) => number === 0),
    'nobody waited for an answer',
  );
});

const ways = { known: ['dns', 'web'], new: [] };
for (const [what, known] of Object.entries(ways)) {
  test(`what is declared while it is read is seen whole or not at all, with rollouts that are ${what}`, async (t) => {
    const { client, other } = await setUp();
    const seen = new Set<boolean>();
    // At every moment of the reading in turn: in memory each request and each answer takes some turns of the microtasks.
    for (let turns = -5; turns < 60; turns += 1) {
      const declare = await declaring(other, turns % 2 === 0 ? 'web' : 'dns');
      const before = (await readDeclared(client)).record?.generation ?? 0;
      const early = turns < 0 ? declare() : null;
      const reading = withRollouts(client, () => readDeclared(client), { known });
      for (let turn = 0; turn < turns; turn += 1) await null;
      const [[declared, rollouts]] = await Promise.all([reading, early ?? declare()]);
      const newest = Math.max(...Object.values(rollouts).map(({ record }) => record.at));
      t.is(declared.record?.generation, newest, `declared after ${turns} turns`);
      seen.add(newest > before);
    }
    t.is(seen.size, 2, 'sometimes before, sometimes after');
  });
}
