import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { contentOfStep, imageDigest } from '../../../specs/digest.ts';
import { McpError } from '../../../specs/errors.ts';
import type { ImageStep } from '../../../specs/nouns.ts';
import { type ChainStart, layerChain, packagesOf } from '../../../vm-factory/image/layer-chain.ts';
import { layerFile } from '../../../vm-factory/image/layer-tree.ts';
import { eventually } from '../../helpers/eventually.ts';
import { sha256 } from '../../helpers/make-tar.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { runs, type TinyBake, tinyBake } from '../../helpers/tiny-image.ts';

const execute = promisify(execFile);

/** Paths in a layer, with their content where `show` names them. */
async function pathsIn(t: ExecutionContext, folder: string) {
  const dir = await tempDir(t);
  const tar = join(dir, 'layer.tar');
  await writeFile(tar, zstdDecompressSync(await readFile(join(folder, layerFile))));
  const { stdout } = await execute('tar', ['-tf', tar]);
  const show = async (path: string) => (await execute('tar', ['-xOf', tar, `.${path}`])).stdout;
  const list = async (path: string) => (await execute('tar', ['-tvf', tar, `.${path}`])).stdout;
  return { paths: stdout.split('\n'), show, list };
}

/** Nothing half-made: no tree, no draft. */
async function leftovers({ context, treesDir }: TinyBake): Promise<string[]> {
  return [...(await readdir(treesDir)), ...(await readdir(join(context.stepsDir, 'staging')))];
}

test('each step works on what those before it made; what is done already is kept, also by another image', async (t) => {
  const dir = await tempDir(t);
  const tiny = await tinyBake(dir);
  const file = join(dir, 'tool');
  await writeFile(file, '#!/bin/sh\necho tool\n');
  const copy: ImageStep = {
    kind: 'copy',
    title: 'copy',
    timeoutMs: 60_000,
    content: { url: pathToFileURL(file).href, sha256: sha256(await readFile(file)) },
    form: 'program',
    to: '/opt/deep/tool',
  };
  const { folder } = await tiny.bake([copy, runs('/opt/deep/tool > /said; id > /who; ls /dev /proc/self > /seen')]);
  const { paths, show, list } = await pathsIn(t, folder);
  t.is(await show('/said'), 'tool\n');
  t.regex(await show('/who'), /^uid=0/);
  t.regex(await list('/opt/deep/tool'), /^-rwxr-xr-x (0\/0|root\/root)/);
  t.false(
    paths.some((path) => /^\.\/(proc|sys|dev|run|tmp)\/./.test(path)),
    'what is there while a step runs is in no image',
  );
  t.deepEqual(tiny.told.length, 3);

  const renamed = { ...copy, title: 'another name', timeoutMs: 5_000 };
  await tiny.bake([renamed, runs('echo other > /other')]);
  t.deepEqual(tiny.told.slice(3), ['base (kept)', 'another name (kept)', 'run echo other > /other']);
  t.deepEqual(await leftovers(tiny), []);
});

test('a failing step names itself, shows its last lines and its log, and leaves nothing half-made', async (t) => {
  const tiny = await tinyBake(await tempDir(t));
  const error = await t.throwsAsync(
    tiny.bake([runs('echo fine > /fine'), runs('echo all is lost >&2; exit 7; true')]),
    {
      code: 'IMAGE_STEP_FAILED',
    },
  );
  t.regex(error?.message ?? '', /^baking failed at "run echo all is lost/);
  t.regex(error?.message ?? '', /\nall is lost$/);
  t.true(error instanceof McpError);
  const log = String((error as McpError).details.log);
  t.is(await readFile(log, 'utf8'), 'all is lost\n');
  t.deepEqual(await leftovers(tiny), []);
  await tiny.bake([runs('echo fine > /fine')]);
  t.is(tiny.told.at(-1), 'run echo fine > /fine (kept)', 'the steps before it are kept');
});

/** Whether any process of this machine has the word in its command line. */
async function runsSomewhere(word: string): Promise<boolean> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(word)) return true;
  }
  return false;
}

test('a step that hangs is ended with all that it started and mounted; so is one that is called off', async (t) => {
  const dir = await tempDir(t);
  const tiny = await tinyBake(dir);
  await tiny.bake([]);
  const hang = (seconds: string) => `mount -t tmpfs x /etc; (sleep ${seconds} &) ; sleep ${seconds}`;
  const late = await t.throwsAsync(tiny.bake([runs(hang('87654'), 700)]), { code: 'IMAGE_STEP_FAILED' });
  t.regex(late?.message ?? '', /it did not end within 0.7 s/);

  const running = tiny.bake([runs(hang('87653'))]);
  running.catch(() => {});
  await eventually('the step sleeps', () => runsSomewhere('sleep\0' + '87653'));
  tiny.stop.abort(new Error('enough'));
  await t.throwsAsync(running, { message: 'enough' });
  for (const seconds of ['87654', '87653']) t.false(await runsSomewhere(`sleep\0${seconds}`));
  t.false((await readFile('/proc/self/mounts', 'utf8')).includes(dir));
  t.deepEqual(await leftovers(tiny), []);
});

test('a layer that was cut off is made again', async (t) => {
  const tiny = await tinyBake(await tempDir(t));
  const { folder } = await tiny.bake([runs('echo a > /a')]);
  await truncate(join(folder, layerFile), 100);
  await tiny.bake([runs('echo a > /a')]);
  t.is(tiny.told.at(-1), 'run echo a > /a');
  t.is(await (await pathsIn(t, folder)).show('/a'), 'a\n');
});

test('where the disk is full a bake says so and leaves the whole steps only', async (t) => {
  const dir = await tempDir(t);
  const mayMount = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const script = `mount -t tmpfs -o size=24m small "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1"`;
  const helper = fileURLToPath(new URL('../../helpers/bake-on-full-disk.ts', import.meta.url));
  const words = ['--mount', ...mayMount, '/bin/sh', '-c', script, 'sh', dir, process.execPath, helper];
  const { stdout } = await execute('unshare', words);
  const { code, message, hint, retryable, whole, half } = JSON.parse(stdout);
  t.is(code, 'IMAGE_DISK_FULL');
  t.regex(message, /the disk is full: "run dd/);
  t.regex(hint, /mcp image prune/);
  t.true(retryable);
  t.is(whole, 2);
  t.deepEqual(half, []);
  t.false(existsSync(join(dir, 'steps')));
});

const word = fc.string({ minLength: 1, maxLength: 6 });
const digest = word.map((text) => sha256(Buffer.from(text)));
const step: fc.Arbitrary<ImageStep> = fc
  .tuple(
    fc.record({ title: word, timeoutMs: fc.nat() }),
    fc.oneof(
      fc.record({ kind: fc.constant('run' as const), script: word }),
      fc.record({ kind: fc.constant('puppet' as const), manifest: fc.record({ url: word, sha256: digest }) }),
      fc.record({
        kind: fc.constant('copy' as const),
        content: fc.record({ url: word, sha256: digest }),
        form: fc.constantFrom('file' as const, 'program' as const, 'directory' as const),
        to: word,
      }),
    ),
  )
  .map(([common, kind]) => ({ ...common, ...kind }));
const start: ChainStart = { name: 'base', inputs: { any: 1 }, added: [] };
const keysOf = (steps: ImageStep[], from = start) => layerChain({ packages: [], steps }, from).map(({ key }) => key);

test('the same definition gives the same keys and digest, wherever its files are and whatever its steps are called', (t) => {
  const elsewhere = (one: ImageStep): ImageStep => {
    const common = { title: `${one.title}!`, timeoutMs: one.timeoutMs + 1 };
    if (one.kind === 'run') return { ...one, ...common };
    if (one.kind === 'puppet') return { ...one, ...common, manifest: { ...one.manifest, url: 'elsewhere' } };
    return { ...one, ...common, content: { ...one.content, url: 'elsewhere' } };
  };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
      const moved = steps.map(elsewhere);
      const image = { base: 'minimal' as const, packages: [] };
      t.deepEqual(keysOf(moved), keysOf(steps));
      t.is(imageDigest({ ...image, steps: moved }), imageDigest({ ...image, steps }));
    }),
  );
});

test('what two images have in common from the start is shared, and nothing after their first difference', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5 }), fc.array(step, { maxLength: 5 }), (one, two) => {
      const same = (at: number) =>
        at < Math.min(one.length, two.length) &&
        JSON.stringify(contentOfStep(one[at] as ImageStep)) === JSON.stringify(contentOfStep(two[at] as ImageStep));
      let common = 0;
      while (same(common)) common += 1;
      const [first, second] = [keysOf(one), keysOf(two)];
      t.deepEqual(first.slice(0, common + 1), second.slice(0, common + 1));
      const rest = new Set(first.slice(common + 1));
      t.false(second.slice(common + 1).some((key) => rest.has(key)));
      t.is(new Set(first).size, first.length, 'also a step that is done twice is two layers');
    }),
  );
});

test('other versions of the base or of a package make other layers of all that follows', (t) => {
  const steps = [runs('true')];
  const keys = [
    start,
    { ...start, inputs: { any: 2 } },
    { ...start, added: [{ name: 'tree', version: '1' }] },
    { ...start, added: [{ name: 'tree', version: '2' }] },
  ].map((from) => keysOf(steps, from).at(-1));
  t.is(new Set(keys).size, 4);
});

test('a manifest brings Puppet along', (t) => {
  const manifest = { kind: 'puppet', title: 'p', timeoutMs: 1, manifest: { url: '', sha256: '' } } as const;
  t.deepEqual(packagesOf({ packages: ['tree'], steps: [manifest, manifest] }), ['puppet-agent', 'tree']);
  t.deepEqual(packagesOf({ packages: ['tree'], steps: [] }), ['tree']);
});
