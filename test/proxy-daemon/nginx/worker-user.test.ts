/** Whom nginx's workers are: they read what callers send, so they are to be able to read nothing that callers must not have. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { findMaster, workersOf } from '../../../proxy-daemon/nginx/nginx-workers.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { workerOf, workerUser } from '../../../proxy-daemon/nginx/worker-user.ts';
import { testGateway } from '../../helpers/gateway.ts';
import { startBackend } from '../../helpers/http-backend.ts';
import { sampleRegistration } from '../../helpers/sample-world.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const isRoot = process.getuid?.() === 0;

for (const mode of ['dynamic', 'plain'] as const) {
  test(`${mode} mode: started by root, workers are somebody else, who can't read the registry's credential`, async (t) => {
    const gateway = await testGateway(t);
    const secret = join(gateway.dir, 'registry-secret');
    writeFileSync(secret, 'user:password', { mode: 0o600 });
    chmodSync(gateway.dir, 0o755);
    const { port } = await startBackend(t, 'one');
    gateway.start({ mode });
    await gateway.register(sampleRegistration('dns', '1', 1, { address: '127.0.0.1', port }));
    await gateway.settled();
    t.is((await gateway.ask('/dns/x')).status, 200);
    t.is((await gateway.ask('/status.json')).status, 200);

    const workers = workersOf(findMaster(gatewayPaths(gateway.dir)) ?? 0);
    t.true(workers.length > 0);
    for (const { pid } of workers) {
      const [uid, gid] = ['Uid', 'Gid'].map((of) => idsOf(pid, of));
      // All four of each: real, effective, saved, of the file system.
      t.is(new Set(uid).size, 1);
      t.is(new Set(gid).size, 1);
      if (!isRoot) continue;
      t.not(uid?.[0], 0);
      const read = spawnSync('cat', [secret], { uid: uid?.[0], gid: gid?.[0], encoding: 'utf8' });
      t.is(read.stdout, '');
      t.regex(read.stderr, /Permission denied/);
    }
  });
}

test('the user is www-data where root starts nginx in a directory that it can reach, root where it can not, else our own', async (t) => {
  const dir = await tempDir(t);
  chmodSync(dir, 0o755);
  t.is(workerUser(dir), isRoot ? 'www-data' : null);
  t.is(workerOf(dir) === null, !isRoot);
  t.not(workerOf(dir)?.uid, 0);
  chmodSync(dir, 0o700);
  t.is(workerUser(dir), isRoot ? 'root' : null);
});

/** Numbers of a line of /proc/<pid>/status. */
function idsOf(pid: number, name: string): number[] {
  const line = new RegExp(`^${name}:(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  return line.trim().split(/\s+/).map(Number);
}
