/** Declarations that can't come true, or come at a bad time; the brake; agents that run alone. Real processes throughout. */
import { spawn } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { stopDaemon } from '../../mcp/local/daemons.ts';
import { statePaths } from '../../mcp/local/state.ts';
import type { PoolView } from '../../mcp/view/pool-view.ts';
import { errorAnswers, eventKinds, killMachines, machinesOf } from '../helpers/environment-faults.ts';
import { startBackend } from '../helpers/http-backend.ts';
import { startLoad } from '../helpers/load.ts';
import { examples, runMcp, settled, shareEnvironment, type TestEnvironment } from '../helpers/local-environment.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { until } from '../helpers/until.ts';

const cli = fileURLToPath(new URL('../../mcp/cli/main.ts', import.meta.url));
/** On a busy machine, ms. */
const patienceMs = 90_000;
const environment = shareEnvironment(test, { args: ['--session-timeout', '4000'] });

/** The example with another version of dns in place of the one there. */
async function withDns(dir: string, version: string, lines: string): Promise<string> {
  const example = await readFile(join(examples, 'hosting.yaml'), 'utf8');
  const there = '      1.2.0:\n        count: 2\n        artifact: { directory: services/dns }';
  const text = example
    .replace(there, `      ${version}:\n        count: 2\n${lines}`)
    .replaceAll('directory: services/', `directory: ${examples}services/`);
  const file = join(dir, `dns-${version}.yaml`);
  await writeFile(file, text);
  return file;
}

async function back(env: TestEnvironment): Promise<void> {
  await env.mcp('apply', '-f', join(examples, 'hosting.yaml'), '--yes');
}

test.serial(
  'a version that crashes at once: old instances serve on, why names the crash, others go on, apply heals',
  async (t) => {
    const env = environment();
    const before = machinesOf(await env.status(), 'dns');
    const lines = '        artifact: { directory: services/dns }\n        command: [sh, -c, "echo going down; exit 3"]';
    const file = await withDns(await tempDir(t), '1.3.0', lines);
    const load = startLoad(env.url, [{ method: 'GET', path: '/dns/zones' }], { clients: 2, pauseMs: 20 });
    t.teardown(() => void load.stop());
    await env.mcp('apply', '-f', file, '--no-wait');
    await env.until('given up after three', ({ alarms }) => alarms.some(({ code }) => code === 'START_FAILING'));
    const { stdout } = await env.mcpFails(1, 'why', 'dns');
    t.regex(stdout, /exited with code 3; its last output:\s+going down/);
    t.regex(stdout, /first broken link is its agents/);
    t.regex(stdout, /try: correct what fails/);
    await env.mcp('why', 'domains');
    await env.mcp('scale', 'domains', '3');
    const failed = await env.mcpFails(1, 'apply', '-f', file, '--timeout', '1', '--yes', '--json');
    t.false((JSON.parse(failed.stdout) as { converged: boolean }).converged);
    t.deepEqual(errorAnswers(await load.stop()), []);
    t.deepEqual(
      machinesOf(await env.status(), 'dns').filter((machine) => before.includes(machine)),
      before,
    );
    await back(env);
  },
);

test.serial('a version whose artifact has vanished: old instances serve on, and why names the file', async (t) => {
  const env = environment();
  const { artifacts } = statePaths(env.dir);
  const packed = await readdir(artifacts);
  const file = await withDns(await tempDir(t), '1.5.0', '        artifact: { directory: services/mailboxes }');
  await env.mcp('suspend', '--reason', 'so that it vanishes in time');
  await env.mcp('apply', '-f', file, '--no-wait');
  const added = (await readdir(artifacts)).filter((name) => !packed.includes(name));
  t.is(added.length, 1);
  await rm(join(artifacts, added[0] ?? ''));
  await env.mcp('resume');
  await env.until('given up', ({ alarms }) => alarms.some(({ code }) => code === 'START_FAILING'));
  const { stdout } = await env.mcpFails(1, 'why', 'dns');
  t.regex(stdout, new RegExp(`${added[0]}.*ENOENT`));
  t.is((await fetch(`${env.url}/dns/zones`)).status, 200);
  await back(env);
});

test.serial('to zero needs a yes and then is done at once; back again too', async (t) => {
  const env = environment();
  const { stderr } = await env.mcpFails(3, 'scale', 'dns', '0', '--json');
  t.is((JSON.parse(stderr) as { error: { code: string } }).error.code, 'REFUSED_COUNT_CUT');
  await env.mcp('scale', 'dns', '0', '--yes');
  t.deepEqual(machinesOf(await env.status(), 'dns'), []);
  t.is((await fetch(`${env.url}/dns/zones`)).status, 503);
  await env.mcp('scale', 'dns', '2');
  t.is((await fetch(`${env.url}/dns/zones`)).status, 200);
});

test.serial('garbage in a file changes nothing, with and without a declaration to compare with', async (t) => {
  const env = environment();
  const dir = await tempDir(t);
  const { generation } = await env.status();
  const files = { 'torn.yaml': 'services:\n  dns: [1, 2\n', 'empty.yaml': '', 'zeros.yaml': '\0\0\0' };
  for (const [name, text] of Object.entries(files)) {
    const file = join(dir, name);
    await writeFile(file, text);
    for (const command of ['plan', 'apply']) {
      const { stdout, stderr } = await env.mcpFails(2, command, '-f', file, '--json');
      t.is(stdout, '');
      t.is((JSON.parse(stderr) as { error: { code: string } }).error.code, 'SPEC_INVALID', name);
    }
  }
  t.is((await env.status()).generation, generation);
});

test.serial('an agent beside any process registers it, holds up nobody, and on SIGTERM lets it drain', async (t) => {
  const env = environment();
  const slow = await startBackend(t, 'alone', {
    answer: (request, response) => void setTimeout(() => response.end('done'), request.url === '/slow' ? 1500 : 0),
  });
  const words = ['agent', 'run', '--service', 'alone', '--version', '0.1.0', '--port', String(slow.port)];
  const agent = spawn(process.execPath, [cli, ...words, '--state', env.dir], { stdio: 'ignore' });
  t.teardown(() => agent.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => agent.once('exit', resolve));
  await until('it is routed', async () => (await fetch(`${env.url}/alone/x`)).status === 200);
  await env.mcp('scale', 'dns', '3');
  const inFlight = fetch(`${env.url}/alone/slow`);
  await until(
    'the request is there',
    () => new Promise<boolean>((resolve) => slow.server.getConnections((_, n) => resolve(n > 0))),
  );
  agent.kill('SIGTERM');
  t.is(await (await inFlight).text(), 'done');
  t.is(await ended, 0);
  await until('its route is gone', async () => (await fetch(`${env.url}/alone/x`)).status === 404);
});

test.serial(
  'machines that fail their self-test never enter the pool, and stop its refill until forgiven',
  async (t) => {
    const env = environment();
    const dir = await tempDir(t);
    const example = (await readFile(join(examples, 'hosting.yaml'), 'utf8')).replaceAll(
      'directory: services/',
      `directory: ${examples}services/`,
    );
    const write = async (pool: string) => {
      const file = join(dir, 'pool.yaml');
      await writeFile(file, example.replace(/ {2}size: 2.*/, pool));
      return file;
    };
    const pool = async () => JSON.parse((await env.mcp('pool', '--json')).stdout) as PoolView;
    await env.mcp('apply', '-f', await write('  size: 4\n  verify: { memory: 1000GiB }'), '--no-wait');
    await until('the refill stops', async () => (await pool()).breakers.some(({ open }) => open), patienceMs);
    const stopped = await until('all failed ones are gone', async () => {
      const view = await pool();
      return view.verifying + view.building === 0 && view.failures.length >= 2 && view;
    });
    t.regex(stopped.failures[0]?.reason ?? '', /its self-test failed: memory is .*, not 1000 GiB/);
    const { stdout } = await env.mcp('machines', stopped.failures[0]?.machine ?? '');
    t.regex(stdout, /FAILED {2}memory .* at least 1000 GiB/);
    t.deepEqual((await env.mcpFails(2, 'machines', 'nobody')).stdout, '');
    await env.mcp('apply', '-f', await write('  size: 4'), '--no-wait');
    await env.mcp('pool', 'retry', '--reason', 'test');
    const filled = await until('the pool is filled', async () => {
      const view = await pool();
      return view.ready === 4 && view;
    });
    t.deepEqual(filled.breakers, []);
    t.true(filled.machines.every(({ verification }) => verification?.passed));
    await back(env);
  },
);

test.serial(
  'while suspended a dead machine is not replaced, not even by a new controller; resume does it (P13)',
  async (t) => {
    const env = environment();
    await env.mcp('suspend');
    const known = (await eventKinds(env)).length;
    const before = await env.status();
    const [victim = ''] = machinesOf(before, 'dns');
    await killMachines(env, [victim]);
    await stopDaemon(statePaths(env.dir), 'controller-1', 5000);
    await env.until('a new leader', ({ epoch, leader }) => epoch > before.epoch && leader !== null);
    const lacking = await env.until('noticed', ({ services }) => services.some(({ live, desired }) => live < desired));
    t.regex(lacking.waiting[0]?.why ?? '', /suspended/);
    t.regex((await env.mcpFails(1, 'why', 'dns')).stdout, /try: mcp resume/);
    const acts = (await eventKinds(env)).slice(known).filter((kind) => kind.startsWith('machine.'));
    t.deepEqual(acts, []);
    await env.mcp('resume');
    await env.until('replaced', (status) => settled(status) && !machinesOf(status).includes(victim));
  },
);

test.serial('what is applied while no controller runs is done when one is back', async (t) => {
  const env = environment();
  const paths = statePaths(env.dir);
  await stopDaemon(paths, 'supervisor', 5000);
  await stopDaemon(paths, 'controller-1', 5000);
  await env.mcp('scale', 'dns', '3', '--no-wait');
  const { stdout } = await env.mcpFails(1, 'why', 'dns');
  t.regex(stdout, /no controller leads\n.*|try: mcp up/s);
  const up = await runMcp(['up', '--state', env.dir, '--json']);
  t.is(up.code, 0, up.stderr);
  t.is(machinesOf(await env.status(), 'dns').length, 3);
});
