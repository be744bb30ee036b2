import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { ensureDaemon, findDaemon, stopDaemon, strayProcesses } from '../../../mcp/local/daemons.ts';
import { statePaths } from '../../../mcp/local/state.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { until } from '../../helpers/until.ts';

const sleeper = { name: 'sleeper', command: 'sleep', args: ['60'] };

test('a daemon is started once, found again, and stopped', async (t) => {
  const paths = statePaths(await tempDir(t));
  const identity = await ensureDaemon(paths, sleeper);
  t.teardown(() => stopDaemon(paths, 'sleeper', 1000).then(() => {}));
  t.deepEqual(await ensureDaemon(paths, sleeper), identity);
  t.deepEqual(await findDaemon(paths, 'sleeper'), identity);
  t.true(await stopDaemon(paths, 'sleeper', 1000));
  t.is(await findDaemon(paths, 'sleeper'), null);
});

test('a daemon that can not be recorded, as on a full disk, does not run: it would be started again beside itself', async (t) => {
  const paths = statePaths(await tempDir(t));
  // A folder where its record is to be written.
  await mkdir(join(paths.run, 'sleeper.json.tmp'), { recursive: true });
  await t.throwsAsync(ensureDaemon(paths, sleeper), { code: 'DAEMON_START', message: /EISDIR/ });
  await until('it is gone', () => strayProcesses(paths).length === 0);
});

test('a command that is not there is an error that names it', async (t) => {
  const paths = statePaths(await tempDir(t));
  const missing = ensureDaemon(paths, { name: 'x', command: '/nowhere/daemon', args: [] });
  await t.throwsAsync(missing, { code: 'DAEMON_START', message: /\/nowhere\/daemon ENOENT/ });
});
