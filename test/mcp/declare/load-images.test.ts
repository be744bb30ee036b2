import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadEnvironment } from '../../../mcp/declare/load-environment.ts';
import { codecs, decode, encode } from '../../../registrar/store/codecs.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const text = (steps: string, image = 'web') => `environment: e
images:
  web: { packages: [tree, curl, tree], steps: [${steps}] }
pool: { image: ${image} }
services:
  a: { image: web, command: [x], port: 80, versions: { 1.0.0: { count: 1 } } }
  b: { command: [x], port: 80, versions: { 1.0.0: { count: 1 } } }
`;

async function bench(t: ExecutionContext) {
  const dir = await tempDir(t);
  const write = async (path: string, content: string) => {
    await mkdir(join(dir, path, '..'), { recursive: true });
    await writeFile(join(dir, path), content);
  };
  const load = async (content: string, name = 'environment.yaml') => {
    await write(name, content);
    return loadEnvironment(join(dir, name), { artifacts: join(dir, 'artifacts') });
  };
  return { dir, write, load };
}

test('machines are made of the image as it is: other content is another image, and another version to run', async (t) => {
  const { dir, write, load } = await bench(t);
  await write('web.pp', 'one');
  const steps = '{ puppet: web.pp }, { run: true, timeout: 2s }';
  const one = await load(text(steps));
  const [image] = one.images ?? [];
  t.deepEqual(image?.packages, ['curl', 'tree']);
  t.deepEqual(
    image?.steps.map(({ title, timeoutMs }) => [title, timeoutMs]),
    [
      ['puppet web.pp', 600_000],
      ['run true', 2000],
    ],
  );
  t.is(one.pool.image, `web@${image?.digest.slice(0, 12)}`);
  t.deepEqual(
    one.services.map((service) => service.image),
    [one.pool.image, undefined],
  );

  await write('elsewhere/web.pp', 'one');
  t.is((await load(text(steps), 'elsewhere/environment.yaml')).pool.image, one.pool.image, 'paths do not matter');
  await write('web.pp', 'two');
  const two = await load(text(steps));
  t.not(two.pool.image, one.pool.image);
  const digests = (environment: typeof one) => environment.services.map(({ versions }) => versions[0]?.digest);
  t.not(digests(two)[0], digests(one)[0], 'what asks for the image itself is replaced');
  t.is(digests(two)[1], digests(one)[1]);

  await write('tool', 'x');
  const plain = await load(text('{ copy: { from: tool, to: /t } }'));
  await chmod(join(dir, 'tool'), 0o755);
  t.not((await load(text('{ copy: { from: tool, to: /t } }'))).pool.image, plain.pool.image, 'modes do');
});

test('what is declared is read back from the registry as it was', async (t) => {
  const { write, load } = await bench(t);
  await write('files/a', 'a');
  await write('web.pp', 'one');
  const environment = await load(text('{ puppet: web.pp }, { copy: { from: files, to: /srv/a } }, { run: "true" }'));
  const record = { generation: 1, author: 'a', reason: '', at: 0, digest: '', allowance: {}, environment };
  t.deepEqual(decode(codecs.desired, '/desired', Buffer.from(encode(codecs.desired, record))), record);
});

test('a file that is not there is named with its place', async (t) => {
  const { load } = await bench(t);
  for (const [step, place] of [
    ['{ puppet: gone.pp }', '3:58'],
    ['{ copy: { from: gone, to: /x } }', '3:64'],
  ] as const) {
    const error = await t.throwsAsync(load(text(step)), { code: 'SPEC_ARTIFACT_UNRESOLVED' });
    t.regex(error?.message ?? '', new RegExp(`environment.yaml:${place} can't read gone`));
  }
});
