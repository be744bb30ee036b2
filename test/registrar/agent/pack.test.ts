import { chmod, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { ArtifactStore } from '../../../registrar/agent/artifact.ts';
import { packDirectory } from '../../../registrar/agent/pack.ts';
import { McpError } from '../../../specs/errors.ts';
import { sha256 } from '../../helpers/make-tar.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

async function sample(dir: string, names: string[]): Promise<void> {
  await mkdir(join(dir, 'lib'), { recursive: true });
  for (const name of names) await writeFile(join(dir, name), `content of ${name}`);
  await chmod(join(dir, 'run'), 0o755);
}

test('equal content gives equal bytes, whatever the order, the times and the place', async (t) => {
  const root = await tempDir(t);
  const out = join(root, 'out');
  await sample(join(root, 'a'), ['run', 'lib/z.js', 'lib/B.js', 'lib/ä.js']);
  await sample(join(root, 'b'), ['lib/ä.js', 'lib/B.js', 'lib/z.js', 'run']);
  await utimes(join(root, 'b', 'run'), 1, 1);
  const first = await packDirectory(join(root, 'a'), out);
  const second = await packDirectory(join(root, 'b'), out);
  t.deepEqual(first, second);
  t.is(first.path, join(out, `${first.sha256}.tar.gz`));
  t.is(sha256(await readFile(first.path)), first.sha256);
  await writeFile(join(root, 'b', 'run'), 'other');
  t.not((await packDirectory(join(root, 'b'), out)).sha256, first.sha256);
  t.is((await readdir(out)).length, 2);
});

test('what was packed is what the agent unpacks', async (t) => {
  const root = await tempDir(t);
  await sample(join(root, 'a'), ['run', 'lib/z.js']);
  await mkdir(join(root, 'a', 'empty'));
  await writeFile(join(root, 'a', 'big'), Buffer.alloc(3_000_000, 'x'));
  const { path, sha256: digest } = await packDirectory(join(root, 'a'), join(root, 'out'));
  const home = await new ArtifactStore(join(root, 'store')).fetch({ url: pathToFileURL(path).href, sha256: digest });
  t.deepEqual((await readdir(home, { recursive: true })).sort(), ['big', 'empty', 'lib', 'lib/z.js', 'run']);
  t.is(await readFile(join(home, 'run'), 'utf8'), 'content of run');
  t.is((await stat(join(home, 'run'))).mode & 0o7777, 0o755);
  t.is((await stat(join(home, 'big'))).size, 3_000_000);
});

test('what the agent would refuse is refused while packing, and nothing is left behind', async (t) => {
  const root = await tempDir(t);
  await sample(join(root, 'link'), ['run']);
  await symlink('/etc/passwd', join(root, 'link', 'l'));
  await sample(join(root, 'setuid'), ['run']);
  await chmod(join(root, 'setuid', 'run'), 0o4755);
  for (const name of ['link', 'setuid']) {
    const error = await t.throwsAsync(packDirectory(join(root, name), join(root, 'out')), { instanceOf: McpError });
    t.is(error?.code, 'ARTIFACT_UNPACKABLE');
  }
  t.deepEqual(await readdir(join(root, 'out')), []);
  const error = await t.throwsAsync(packDirectory(join(root, 'nowhere'), join(root, 'out')), { instanceOf: McpError });
  t.is(error?.code, 'ARTIFACT_BAD_URL');
});
