/** `mcp upgrade`: when its rollout begins, and what does not go together. */
import test from 'ava';
import { readPicture } from '../../../mcp/control/read-status.ts';
import { applyEnvironment } from '../../../mcp/declare/apply-environment.ts';
import { rollback, upgrade } from '../../../mcp/declare/change-version.ts';
import { sideBySide } from '../../../mcp/declare/side-by-side.ts';
import { steer } from '../../../mcp/declare/steer.ts';
import { versionToRun } from '../../../mcp/declare/version-to-run.ts';
import { pauseRollout, resumeRollout } from '../../../mcp/rollout/steer-rollout.ts';
import { paths } from '../../../registrar/layout.ts';
import { readEvents } from '../../../registrar/recipes/event-log.ts';
import { readRegistry } from '../../../registrar/store/read-registry.ts';
import type { Service } from '../../../specs/nouns.ts';
import { intercept } from '../../helpers/intercept.ts';
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
  const back = await rollback(client, 'web', by);
  t.is(back.rollout?.phase, 'reverting');
});

test('a roll-back is one write, on top of what the controller wrote while it was decided', async (t) => {
  const { client, declare } = await setUp(t);
  await declare([service('dns', [v1])]);
  await upgrade(client, await readRegistry(client, { allowLoopback: true }), 'dns', v2, {}, by);
  const written: string[] = [];
  let read = 0;
  const shared = intercept(client, {
    get: (path, options) => {
      if (path === paths.desired) read += 1;
      return client.get(path, options);
    },
    multi: async (ops, options) => {
      if (written.length === 0)
        await steer(client, 'dns', 'paused', { ...by, author: 'controller:c1', reason: 'faster' }, pauseRollout);
      written.push(ops.map(({ path }) => path).join(' '));
      return client.multi(ops, options);
    },
  });
  const { rollout, generation } = await rollback(shared, 'dns', by);
  t.is(rollout?.phase, 'reverting');
  t.deepEqual(
    rollout?.log.map(({ why }) => why).slice(-2),
    ['faster', 'aborted by an operator'],
    'what was written meanwhile stays',
  );
  t.is(generation, 3);
  t.is(written.length, 2, 'the first was refused');
  t.is(read, 2, 'and each time the declaration was read once');
});

test('what somebody else declared while a roll-back was decided is not overwritten', async (t) => {
  const { client, declare } = await setUp(t);
  await declare([service('dns', [v1])]);
  await upgrade(client, await readRegistry(client, { allowLoopback: true }), 'dns', v2, {}, by);
  let tries = 0;
  const shared = intercept(client, {
    multi: async (ops, options) => {
      tries += 1;
      await declare([service('web', [v1])]);
      return client.multi(ops, options);
    },
  });
  await t.throwsAsync(rollback(shared, 'dns', by), { code: 'GENERATION_STALE' });
  t.is(tries, 1);
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

test('whatever people say of a service, its event has who, why, the epoch and the operation (P16)', async (t) => {
  const { client, declare, clock } = await setUp(t);
  await declare([service('dns', [v1]), service('web', [v1])]);
  const look = () => readRegistry(client, { allowLoopback: true });
  const say = { ...by, reason: 'because' };
  await upgrade(client, await look(), 'dns', v2, {}, say);
  await steer(client, 'dns', 'paused', say, pauseRollout);
  await steer(client, 'dns', 'resumed', say, resumeRollout);
  await rollback(client, 'dns', say);
  const { declared } = await look();
  const environment = declared?.record.environment;
  if (!environment) throw new Error('nothing is declared');
  const sides = sideBySide(
    environment.services[1] as Service,
    [
      { version: '1.0.0', weight: 90 },
      { version: '3.0.0', weight: 10 },
    ],
    new Map([['3.0.0', version('3.0.0', 1)]]),
  );
  const services = environment.services.map((one) => (one.name === 'web' ? sides : one));
  const given = { author: say.author, reason: 'ab web', confirmed: true, at: clock.now() };
  await applyEnvironment(client, { ...environment, services }, given);
  const events = await readEvents(client);
  t.deepEqual(
    events.map(({ kind, service: name = '' }) => `${kind} ${name}`.trim()),
    [
      'rollout.started dns',
      'rollout.paused dns',
      'rollout.resumed dns',
      'rollout.reverting dns',
      'environment.declared',
      'service.declared web',
    ],
  );
  for (const event of events) {
    t.is(event.actor, 'operator:ann', event.kind);
    t.regex(event.reason, /because|ab web/, event.kind);
    t.is(typeof event.epoch, 'number', event.kind);
    t.truthy(event.operation, event.kind);
  }
  t.regex(events.at(-1)?.message ?? '', /web 1\.0\.0 x2 at weight 90, 3\.0\.0 x1 at weight 10/);
});

test('the picture that is watched has the rollouts under way, and only these', async (t) => {
  const { client, declare } = await setUp(t);
  await declare([service('dns', [v1])]);
  const picture = () => readPicture(client, 10_000, { allowLoopback: true });
  t.deepEqual((await picture()).rollouts, []);
  const registry = await readRegistry(client, { allowLoopback: true });
  await upgrade(client, registry, 'dns', v2, {}, by);
  await steer(client, 'dns', 'paused', { ...by, reason: 'lunch' }, pauseRollout);
  const [view] = (await picture()).rollouts;
  t.like(view, { service: 'dns', phase: 'checking', hold: { kind: 'operator', why: 'lunch' }, total: 2, done: 0 });
});
