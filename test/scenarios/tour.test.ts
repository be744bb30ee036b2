/** The README's tour, line by line. */
import { execFile } from 'node:child_process';
import { readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { Command } from 'commander';
import { makeProgram } from '../../mcp/cli/main.ts';
import { registryOf, statePaths } from '../../mcp/local/state.ts';
import type { StatusView } from '../../mcp/view/status-view.ts';
import { readStartTime } from '../../registrar/process-identity.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { examples, instancesOf, runMcp, settled, startEnvironment } from '../helpers/local-environment.ts';
import { noQemu } from '../helpers/qemu-machines.ts';

const execute = promisify(execFile);
/** Emulated machines of a busy host take a while, ms. */
const patienceMs = 180_000;

async function getJson(url: string): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(url);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

/** The process that the machine is: a QEMU, or an agent at the head of a process group. */
async function pidOf(dir: string, uuid: string): Promise<number> {
  return Number.parseInt(await readlink(join(statePaths(dir).factory, 'machines', uuid, 'identity')), 10);
}

/** With MCP_ALL=1 whatever `up` does by itself; that takes minutes, and virtual-machines.test.ts goes much of the same way. */
const provider = noQemu || process.env.MCP_ALL !== '1' ? 'process' : 'qemu';

test(`the tour of the README works on machines of the provider ${provider}`, async (t) => {
  t.timeout(600_000);
  const env = await startEnvironment(t, { args: ['--provider', provider] });

  await t.notThrowsAsync(async () => {
    for (const path of ['/dns/zones', '/domains/v1/names', '/certificates/issued']) {
      const { status } = await getJson(env.url + path);
      t.is(status, 200, path);
    }
  }, 'every API is reached through the gateway');

  const document = await getJson(`${env.url}/openapi.json`);
  const before = Object.keys(document.body.paths as object);
  for (const prefix of ['/dns/', '/domains/', '/certificates/'])
    t.true(
      before.some((path) => path.startsWith(prefix)),
      prefix,
    );
  t.is((await fetch(`${env.url}/docs/`)).status, 200);
  t.is((await fetch(`${env.url}/status`)).status, 200);
  t.is((await fetch(`${env.url}/healthz`)).status, 200);

  await env.mcp('scale', 'dns', '4');
  const four = await env.until(
    'four of dns',
    (status) => settled(status) && instancesOf(status, 'dns').length === 4,
    patienceMs,
  );

  const victim = instancesOf(four, 'dns')[0]?.machine ?? '';
  const pid = await pidOf(env.dir, victim);
  process.kill(-pid, 'SIGKILL');
  const isBack = (status: StatusView) => {
    const now = instancesOf(status, 'dns').map(({ machine }) => machine);
    return settled(status) && now.length === 4 && !now.includes(victim);
  };
  const back = await env.until('the killed one replaced', isBack, patienceMs);
  t.is(readStartTime(pid), null);
  t.is(instancesOf(back, 'dns').length, 4);
  const { stdout: log } = await env.mcp('events', '--machine', victim);
  t.regex(log, /machine\./, 'its story is told');

  await env.mcp('why', 'dns');
  t.regex((await env.mcp('why', '--path', '/dns/zones')).stdout, /instance: route \/dns leads to .* of dns/);
  t.regex((await env.mcpFails(1, 'why', '--path', '/nowhere')).stdout, /refused 404: no route begins this path/);
  t.regex((await env.mcpFails(2, 'why', '--path', 'dns')).stderr, /does not begin with a slash/);
  await env.mcp('machines');
  await env.mcp('pool');
  await env.mcp('history');

  const withMailboxes = join(examples, 'hosting-with-mailboxes.yaml');
  const planned = await env.mcpFails(4, 'plan', '-f', withMailboxes);
  t.regex(planned.stdout, /mailboxes/);
  await env.mcp('apply', '-f', withMailboxes, '--yes');
  const hasMailboxes = (status: StatusView) => settled(status) && instancesOf(status, 'mailboxes').length > 0;
  await env.until('mailboxes served', hasMailboxes, patienceMs);
  await env.mcpFails(0, 'plan', '-f', withMailboxes);
  t.is((await fetch(`${env.url}/mailboxes/boxes`)).status, 200);
  const paths = async () => Object.keys((await getJson(`${env.url}/openapi.json`)).body.paths as object);
  for (let tries = 0; tries < 100 && !(await paths()).some((path) => path.startsWith('/mailboxes/')); tries++)
    await env.status();
  t.true(
    (await paths()).some((path) => path.startsWith('/mailboxes/')),
    'its operations appear in the document',
  );

  await env.mcp('suspend', '--reason', 'tour');
  t.is((await env.status()).suspended?.reason, 'tour');
  await env.mcp('resume');

  const ended = await runMcp(['down', '--state', env.dir, '--json']);
  t.is(ended.code, 0, ended.stderr);
  t.true((JSON.parse(ended.stdout) as { removed: boolean }).removed);
  await t.throwsAsync(execute('pgrep', ['-f', env.dir]), undefined, 'no process of the environment is left');
});

test('a stranger on this machine can neither read nor write the registry of an environment', async (t) => {
  t.timeout(120_000);
  const env = await startEnvironment(t);
  const stranger = await connectZooKeeper(registryOf(env.state));
  t.teardown(() => stranger.close());
  await t.throwsAsync(stranger.get('/desired'), { code: 'REGISTRY_NO_AUTH' });
  await t.throwsAsync(stranger.create('/services/dns'), { code: 'REGISTRY_NO_AUTH' });
  await t.throwsAsync(stranger.set('/suspended', '{}'), { code: 'REGISTRY_NO_AUTH' });
  const { secret } = statePaths(env.dir);
  t.is((await stat(secret)).mode & 0o777, 0o600);
  const [, password = ''] = (await readFile(secret, 'utf8')).trim().split(':');
  const { stdout: commandLines } = await execute('ps', ['axww', '-o', 'args']);
  t.false(commandLines.includes(password), 'it is in nobody’s arguments');
  const { stdout: found } = await execute('grep', ['-rlF', '--', password, env.dir]);
  t.deepEqual(found.trim().split('\n'), [secret], 'nor in any log or file but its own');
});

test('bad input changes nothing and is answered with exit code 2', async (t) => {
  t.timeout(120_000);
  for (const words of [
    ['scale', 'dns', '--count=', '3'],
    ['scale', 'dns', 'three'],
    ['scale', 'dns'],
    ['status', '--jsno'],
    ['plam'],
    ['apply', '-f', '/nowhere/environment.yaml', '--registry', '127.0.0.1:1/mcp'],
  ]) {
    const result = await runMcp(words);
    t.is(result.code, 2, `mcp ${words.join(' ')}: ${result.stderr}`);
    t.not(result.stderr, '');
    t.is(result.stdout, '');
  }
});

test('every command has --help and --json', async (t) => {
  t.timeout(120_000);
  const leaves = ({ commands }: Command): Command[] =>
    commands.flatMap((command) => (command.commands.length > 0 ? leaves(command) : command));
  const all = leaves(makeProgram());
  t.true(all.length > 30);
  for (const command of all) {
    t.regex(command.helpInformation(), /--json/, command.name());
    t.not(command.description(), '', command.name());
  }
  const { code, stdout } = await runMcp(['machines', 'console', '--help']);
  t.is(code, 0);
  t.regex(stdout, /--follow.*--json/s);
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  t.like(await runMcp(['--version']), { code: 0, stdout: `${version}\n` });
});
