/** `mcp image` as a user runs it, on a store of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ImageStore } from '../../vm-factory/image/image-store.ts';
import { runMcp } from '../helpers/local-environment.ts';
import { noQemu } from '../helpers/qemu-machines.ts';

const cli = fileURLToPath(new URL('../../mcp/cli/main.ts', import.meta.url));

const file = (steps: string) => `environment: images
images:
  tiny: { base: minimal, steps: [${steps}] }
services: {}
`;

if (noQemu) test.skip(`mcp image: not run, ${noQemu}`, () => {});
else
  test('an image is baked, found, listed, mended and pruned; a bake that fails or is called off leaves nothing', async (t) => {
    t.timeout(300_000);
    const dir = await mkdtemp(join(tmpdir(), 'mcp-image-'));
    t.teardown(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
    const env = { XDG_CACHE_HOME: dir };
    const store = new ImageStore(join(dir, 'mcp', 'machines'));
    const yaml = join(dir, 'environment.yaml');
    const mcp = (...words: string[]) => runMcp(['image', ...words], { env });
    const json = async (...words: string[]) => JSON.parse((await mcp(...words, '--json')).stdout);
    const leftovers = async () => {
      const folders = [store.treesDir, join(store.stepsDir, 'staging'), join(store.dir, 'staging')];
      const names = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
      return names.flat();
    };

    await writeFile(yaml, file('{ run: "echo hello > /etc/greeting" }'));
    const unknown = await mcp('bake', 'tyni', '-f', yaml);
    t.is(unknown.code, 2);
    t.regex(unknown.stderr, /did you mean "tiny"/);

    const first = await mcp('bake', '-f', yaml);
    t.is(first.code, 0, first.stderr);
    for (const step of ['base minimal', 'run echo hello > /etc/greeting', 'root file system'])
      t.regex(first.stderr, new RegExp(`✔ tiny: ${step} \\(\\d+\\.\\d s\\)`));
    const [, id = ''] = /^tiny {2}([0-9a-f]{64})\n$/.exec(first.stdout) ?? [];
    const [image] = (await json('list')).images;
    t.deepEqual([image.id, image.base], [id, 'minimal']);
    t.regex(image.reference, /^tiny@[0-9a-f]{12}$/);

    await truncate(join(store.dir, 'images', id, 'root.ext4'), 1000);
    const mended = await mcp('bake', 'tiny', '-f', yaml);
    t.regex(mended.stderr, /is damaged; it is baked again/);
    t.is(mended.stdout, first.stdout, 'the same image has the same id');

    await writeFile(yaml, file('{ run: "echo hello > /etc/greeting" }, { run: "echo lost; exit 3" }'));
    const failed = await mcp('bake', 'tiny', '-f', yaml);
    t.is(failed.code, 1);
    t.regex(failed.stderr, /✘ tiny: run echo lost; exit 3/);
    t.regex(failed.stderr, /\[IMAGE_STEP_FAILED\] baking failed at "run echo lost; exit 3": .*ended with 3\nlost\n/);
    t.notRegex(failed.stderr, /✔ tiny: base minimal/, 'the steps before it are kept');

    await writeFile(yaml, file('{ run: "sleep 98761" }'));
    const hung = spawn(process.execPath, [cli, 'image', 'bake', 'tiny', '-f', yaml, '--json'], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const ended = once(hung, 'exit');
    while (!(await sleeps('98761'))) if (hung.exitCode !== null) t.fail('it ended too soon');
    hung.kill('SIGINT');
    t.is((await ended)[0], 130);
    t.false(await sleeps('98761'));
    t.deepEqual(await leftovers(), []);
    t.is((await store.list()).length, 1);

    const holder = join(dir, 'environment');
    await mkdir(holder);
    await store.use(id, holder);
    const kept = await mcp('prune', '--keep', '0');
    t.regex(kept.stdout, new RegExp(`kept {5}tiny {2}${id.slice(0, 12)} {2}\\(used by ${holder}\\)`));
    t.true(existsSync(join(store.dir, 'images', id)));
    await rm(holder, { recursive: true });
    const pruned = await json('prune', '--keep', '0');
    t.deepEqual(pruned.removed, [{ id, name: 'tiny' }]);
    t.true(pruned.freedBytes > 100 * 1024 ** 2);
    t.deepEqual(await store.list(), []);
    t.deepEqual(await readdir(store.stepsDir), ['staging']);
  });

async function sleeps(seconds: string): Promise<boolean> {
  for (const pid of await readdir('/proc')) {
    const line = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
    if (line === `sleep\0${seconds}\0`) return true;
  }
  return false;
}
