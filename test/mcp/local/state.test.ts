import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findStateDir, type LocalState, readState, requireState, writeState } from '../../../mcp/local/state.ts';

const state: LocalState = {
  format: 1,
  createdAt: 1,
  clusterId: 'c',
  provider: 'process',
  zookeeperPort: 2181,
  gateway: { address: '127.0.0.1', port: 8080 },
  addressBlock: '127.31.7',
  environmentFile: '/a.yaml',
  controllers: 1,
  sessionTimeoutMs: 10_000,
};

async function temporary(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'mcp-state-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test('what is written is read again', async (t) => {
  const dir = join(await temporary(t), 'state');
  await writeState(dir, state);
  t.deepEqual(readState(dir), state);
});

test('a folder that holds something else is refused and left as it is', async (t) => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'thesis.txt'), 'years of work');
  await t.throwsAsync(writeState(dir, state), { code: 'STATE_NOT_OURS' });
  t.is(readState(dir), null);
});

test('a state file of another version is named, not guessed at', async (t) => {
  const dir = await temporary(t);
  await writeFile(join(dir, 'local.json'), '{"format":2}');
  t.throws(() => readState(dir), { code: 'STATE_INVALID', message: /local\.json/ });
});

test('without an environment the error says how to get one', async (t) => {
  const dir = await temporary(t);
  const error = t.throws(() => requireState(dir), { code: 'STATE_MISSING' });
  t.regex(String((error as unknown as { hint: string }).hint), /npm run up/);
});

test('the nearest environment above the working folder is meant, unless one is named', async (t) => {
  const top = await temporary(t);
  await writeState(join(top, '.mcp'), state);
  const below = join(top, 'a', 'b');
  await mkdir(below, { recursive: true });
  t.is(findStateDir(undefined, below, {}), join(top, '.mcp'));
  t.is(findStateDir('here', below, {}), join(below, 'here'));
  t.is(findStateDir(undefined, below, { MCP_STATE: '/elsewhere' }), '/elsewhere');
});
