/** `mcp upgrade`: when its rollout begins, and what does not go together. */
import test from 'ava';
import { rollback, upgrade } from '../../../mcp/declare/change-version.ts';
import { versionToRun } from '../../../mcp/declare/version-to-run.ts';
import { readEvents } from '../../../registrar/recipes/event-log.ts';
import { readRegistry } from '../../../registrar/store/read-registry.ts';
import { setUp } from '../control/registry-setup.ts';
import { service, version } from '../plan/world-builder.ts';

const v1 = version('1.0.0', 2);
const v2 = version('2.0.0', 1);
const by = { author: 'operator:ann', reason: '', at: 7 };

test('an upgrade waits for the rollouts under way of services that it comes after, and for no others', async (t) => {
  const { client, declare } = await setUp(t);
  await declare([service('dns', [v1]), { ...service('web', [v1]), after: ['dns'] }, service('mail', [v1])]);
  const begin = async (name: string) =>
    (await upgrade(client, await readRegistry(client, { allowLoopback: true }), name, v2, {}, by)).rollout;
  t.is((await begin('dns'))?.phase, 'checking');
  const web = await begin('web');
  t.is(web?.phase, 'waiting');
  t.deepEqual(
    web?.order?.after.map((one) => one.service),
    ['dns'],
  );
  t.is((await begin('mail'))?.phase, 'checking');
  const kinds = (await readEvents(client)).filter(({ kind }) => kind.startsWith('rollout.'));
  t.deepEqual(
    kinds.map(({ kind, service: name }) => `${name} ${kind}`),
    ['dns rollout.started', 'web rollout.waiting', 'mail rollout.started'],
  );
  // Back is back at once.
  const back = await rollback(client, await readRegistry(client, { allowLoopback: true }), 'web', by);
  t.is(back.rollout?.phase, 'reverting');
});

test('what is said beside a file that says all of a version is refused, not ignored', async (t) => {
  const { client, declare } = await setUp(t);
  await declare([service('dns', [v1])]);
  const registry = await readRegistry(client, { allowLoopback: true });
  const places = { artifacts: '/nowhere', defaultImage: 'process', at: (path: string) => path };
  const refused = (words: object, message: RegExp) =>
    t.throwsAsync(versionToRun(registry, 'dns', '2.0.0', { file: 'x.yaml', ...words }, places), {
      code: 'USAGE_BAD_OPTION',
      message,
    });
  await refused({ artifact: 'dir' }, /--artifact doesn't go with --file/);
  await refused({ port: 1, env: ['A=b'] }, /--port and --env don't go with --file/);
});
