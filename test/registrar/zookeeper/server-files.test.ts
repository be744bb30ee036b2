/** What a ZooKeeper server writes holds all of the registry, whoever may read that by asking. */
import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { writeServerFiles, zooKeeperServer } from '../../../registrar/zookeeper/server.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

test('a server’s folder is for its own user alone, also one that was open before', async (t) => {
  const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
  const base = await tempDir(t);
  await chmod(base, 0o755);
  const [made, open] = [join(base, 'made'), join(base, 'open')];
  await mkdir(open, { mode: 0o755 });
  for (const dir of [made, open]) {
    await writeServerFiles(zooKeeperServer({ dir, clientPort: 1 }).files);
    t.is(await modeOf(dir), 0o700);
  }
  t.is(await modeOf(base), 0o755, 'what is above it is not its own');
});
