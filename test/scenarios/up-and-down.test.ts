/** `mcp up` and `mcp down` as commands that can be repeated, run side by side, and stopped half-way. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { processesMarked } from '../../registrar/process-identity.ts';
import { instancesOf, runMcp, startEnvironment } from '../helpers/local-environment.ts';

const cli = fileURLToPath(new URL('../../mcp/cli/main.ts', import.meta.url));

/** Everything that was started for a state folder, by the mark that `up` leaves in its daemons' environment. */
function processesOf(dir: string): number {
  return processesMarked(`MCP_DAEMON_OF=${dir}`).length;
}

test('two environments run side by side, up again changes nothing, down of one leaves the other', async (t) => {
  t.timeout(240_000);
  const one = await startEnvironment(t);
  const two = await startEnvironment(t, { args: ['--port', String(one.state.gateway.port)] });
  t.not(one.state.gateway.port, two.state.gateway.port, 'a port in use is not taken');
  t.not(one.state.addressBlock, two.state.addressBlock);

  const before = await one.status();
  const again = await runMcp(['up', '--state', one.dir, '--json']);
  t.is(again.code, 0, again.stderr);
  const after = await one.status();
  t.is(after.generation, before.generation);
  t.is(after.epoch, before.epoch);
  t.deepEqual(
    instancesOf(after, 'dns').map(({ machine }) => machine),
    instancesOf(before, 'dns').map(({ machine }) => machine),
  );

  const machine = instancesOf(after, 'dns')[0]?.machine ?? '';
  const console = (...words: string[]) => one.mcp('machines', 'console', machine.slice(0, 8), ...words);
  const { lines } = JSON.parse((await console('--json')).stdout);
  t.deepEqual(lines.at(-1), { from: 'agent', text: 'phase phase=serving' });
  t.true(lines.some(({ from }: { from: string }) => from === 'service'));
  t.is((await console('--lines', '1')).stdout.trim().split('\n').length, 1);
  await one.mcpFails(2, 'machines', 'console', 'no-such-machine');

  await one.mcp('down');
  t.false(existsSync(one.dir));
  t.is(processesOf(one.dir), 0);
  await t.throwsAsync(fetch(`${one.url}/healthz`), undefined, 'its gateway is gone');
  t.is((await fetch(`${two.url}/dns/zones`)).status, 200, 'the other one serves on');
  t.is((await runMcp(['down', '--state', one.dir])).code, 0, 'a second down is no error');
});

test('Ctrl-C in the middle of a first up leaves nothing behind', async (t) => {
  t.timeout(120_000);
  const parent = await mkdtemp(join(tmpdir(), 'mcp-interrupted-'));
  const dir = join(parent, 'state');
  t.teardown(async () => {
    await runMcp(['down', '--state', dir]);
    await rm(parent, { recursive: true, force: true });
  });
  const child = spawn(process.execPath, [cli, 'up', '--state', dir, '--port', '0', '--provider', 'process'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let told = '';
  let interrupted = false;
  for await (const chunk of child.stderr) {
    told += chunk;
    // Once: a second Ctrl-C means "at once, and leave it".
    if (!interrupted && told.includes('pack its artifacts')) interrupted = child.kill('SIGINT');
  }
  t.is(await ended, 130, told);
  t.false(existsSync(dir));
  t.is(processesOf(dir), 0);
});

test('a folder that holds something else is neither used nor removed', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'mcp-not-ours-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'thesis.txt'), 'years of work');
  const up = await runMcp(['up', '--state', dir, '--json']);
  t.is(up.code, 1);
  t.is((JSON.parse(up.stderr) as { error: { code: string } }).error.code, 'STATE_NOT_OURS');
  t.is((await runMcp(['down', '--state', dir])).code, 0);
  t.deepEqual(await readdir(dir), ['thesis.txt']);
});
