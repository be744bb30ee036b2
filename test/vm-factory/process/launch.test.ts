import { readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readStartTime } from '../../../registrar/process-identity.ts';
import { launch } from '../../../vm-factory/process/launch.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { until } from '../../helpers/until.ts';

async function start(t: ExecutionContext, folder: string, command: string[], identityPath = join(folder, 'identity')) {
  const child = await launch({ folder, identityPath, command, env: { GREETING: 'hello' } });
  t.teardown(() => void child.kill('SIGKILL'));
  return child;
}

test('when it resolves the process has said who it is, and stays that through exec', async (t) => {
  const folder = await tempDir(t);
  const child = await start(t, folder, ['sleep', '1000']);
  const word = `${child.pid}:${readStartTime(child.pid ?? 0)}`;
  t.is(readlinkSync(join(folder, 'identity')), word);
  await until('it is the command', () => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith('sleep'));
  t.is(`${child.pid}:${readStartTime(child.pid ?? 0)}`, word);
});

test('arguments come through as they are, and the command does not keep the descriptor that told us', async (t) => {
  const folder = await tempDir(t);
  const words = ['a b', '$HOME', '"', "'", '*', ''];
  const script = 'printf "[%s]" "$GREETING" "$@"; test -e /proc/$$/fd/3 && echo kept || echo closed';
  const child = await start(t, folder, ['/bin/sh', '-c', script, 'sh', ...words]);
  await until('it has ended', () => child.exitCode !== null);
  const said = readFileSync(join(folder, 'console.log'), 'utf8');
  t.is(said, `[hello]${words.map((word) => `[${word}]`).join('')}closed\n`);
});

test('of two starts one wins and the other ends before it does anything', async (t) => {
  const folder = await tempDir(t);
  const command = ['/bin/sh', '-c', 'echo ran; exec sleep 1000'];
  const children = await Promise.all([start(t, folder, command), start(t, folder, command)]);
  await until('one has ended', () => children.filter(({ exitCode }) => exitCode === 72).length === 1);
  const winner = children.find(({ exitCode }) => exitCode === null);
  t.true(readlinkSync(join(folder, 'identity')).startsWith(`${winner?.pid}:`));
  const console = join(folder, 'console.log');
  await until('the winner ran', () => readFileSync(console, 'utf8').includes('ran'));
  t.is(readFileSync(console, 'utf8'), 'ran\n');
});

test('a machine that must not start, or is gone, does not', async (t) => {
  const folder = await tempDir(t);
  symlinkSync('nobody', join(folder, 'identity'));
  for (const identity of [join(folder, 'identity'), join(folder, 'gone', 'identity')]) {
    const child = await start(t, folder, ['sh', '-c', 'echo ran'], identity);
    await until('it has ended', () => child.exitCode !== null);
    t.is(child.exitCode, 72);
  }
  t.is(readlinkSync(join(folder, 'identity')), 'nobody');
  t.is(readFileSync(join(folder, 'console.log'), 'utf8'), '');
});

test('a folder that is gone is no process', async (t) => {
  const folder = join(await tempDir(t), 'gone');
  await t.throwsAsync(start(t, folder, ['sleep', '1000']), { code: 'PROVIDER_UNAVAILABLE' });
});
