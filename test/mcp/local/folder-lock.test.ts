import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type FolderHolder, holdFolder } from '../../../mcp/local/folder-lock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const lock = fileURLToPath(new URL('../../../mcp/local/folder-lock.ts', import.meta.url));
const never = new AbortController().signal;
const nobody = () => {};

test('a folder has one holder at a time, through every spelling of its name; the next one waits its turn', async (t) => {
  const dir = join(await tempDir(t), 'state');
  const order: string[] = [];
  const release = await holdFolder(dir, { signal: never, onBusy: () => t.fail() });
  const waiting = ['second', 'third'].map(async (name) => {
    const next = await holdFolder(join(dir, '..', 'state'), { signal: never, onBusy: nobody });
    order.push(name);
    next();
  });
  const other = await holdFolder(`${dir}-other`, { signal: never, onBusy: () => t.fail() });
  other();
  order.push('first');
  release();
  await Promise.all(waiting);
  t.is(order[0], 'first');
  t.is(order.length, 3);
});

test('who holds it is told, and when that process is killed the folder is free', async (t) => {
  const dir = join(await tempDir(t), 'state');
  const script = `
    import { holdFolder } from ${JSON.stringify(lock)};
    await holdFolder(${JSON.stringify(dir)}, { signal: new AbortController().signal, onBusy() {} });
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  let holder: FolderHolder | null = null;
  const release = await holdFolder(dir, {
    signal: never,
    onBusy(found) {
      holder = found;
      child.kill('SIGKILL');
    },
  });
  release();
  t.is((holder as FolderHolder | null)?.identity.pid, child.pid);
  t.true((holder as FolderHolder | null)?.argv.includes('--eval'));
});

test('waiting for a folder ends with its signal', async (t) => {
  const dir = join(await tempDir(t), 'state');
  const release = await holdFolder(dir, { signal: never, onBusy: nobody });
  const patience = new AbortController();
  const waiting = holdFolder(dir, { signal: patience.signal, onBusy: () => patience.abort(new Error('enough')) });
  await t.throwsAsync(waiting, { message: 'enough' });
  release();
});
