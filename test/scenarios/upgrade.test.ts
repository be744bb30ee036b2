/** The README's "Upgrade without losing a request" and "Undo", and what goes wrong with them, on real processes under load. */
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { stopDaemon } from '../../mcp/local/daemons.ts';
import { statePaths } from '../../mcp/local/state.ts';
import type { RolloutView } from '../../mcp/view/rollout-view.ts';
import type { WatchedCalls } from '../../proxy-daemon/version-figures.ts';
import { daemonPid, errorAnswers, killMachines, machinesOf } from '../helpers/environment-faults.ts';
import { startLoad, type Target } from '../helpers/load.ts';
import { examples, settled, shareEnvironment, type TestEnvironment } from '../helpers/local-environment.ts';

const environment = shareEnvironment(test);
const dns = join(examples, 'services/dns');
const quick = ['--min-healthy', '500ms', '--bake', '500ms'];
const calls = [
  { method: 'GET', path: '/dns/zones' },
  { method: 'POST', path: '/dns/zones', body: '{"name":"example.net"}' },
] as const;

function underLoad(t: ExecutionContext, env: TestEnvironment, targets: readonly Target[] = calls) {
  const load = startLoad(env.url, [...targets], { clients: 4, pauseMs: 20 });
  t.teardown(() => void load.stop());
  return load;
}

/** Versions of dns with traffic. */
async function routed(env: TestEnvironment): Promise<string[]> {
  const { services } = await env.status();
  const versions = services.find(({ name }) => name === 'dns')?.versions ?? [];
  return versions.filter(({ live, weight }) => live > 0 && weight !== 0).map(({ version }) => version);
}

async function rolloutOf(env: TestEnvironment, service = 'dns'): Promise<RolloutView> {
  return JSON.parse((await env.mcp('rollouts', service, '--json')).stdout) as RolloutView;
}

interface Called {
  calls: WatchedCalls[] | null;
}

function codeOf({ stderr }: { stderr: string }): string {
  return (JSON.parse(stderr) as { error: { code: string } }).error.code;
}

test.serial('an upgrade under load answers every request; undo moves the traffic back with one write', async (t) => {
  const env = environment();
  const load = underLoad(t, env);

  // $ mcp upgrade dns --to 1.3.0 --artifact services/dns
  const { stderr, stdout } = await env.mcp('upgrade', 'dns', '--to', '1.3.0', '--artifact', dns, ...quick);
  t.regex(
    stderr,
    /checking +one new instance first.*checking +the documents of 1\.2\.0 and 1\.3\.0: nothing changed for callers.*canary +1 of 2 goes first.*rolling +1 more: 2 of 2.*baking.*done +all 2 run 1\.3\.0; 2 old/s,
  );
  t.is(stdout.trim(), 'dns runs 1.3.0.');
  t.deepEqual(await routed(env), ['1.3.0']);
  t.is(machinesOf(await env.status(), 'dns').length, 4, 'the old ones are kept, at weight 0');

  // $ mcp upgrade dns --to 1.3.0
  t.is((await env.mcp('upgrade', 'dns', '--to', '1.3.0')).stdout.trim(), 'dns runs that already.');

  // $ mcp rollback dns
  const before = machinesOf(await env.status(), 'dns').sort();
  await env.mcp('rollback', 'dns', '--no-wait');
  t.deepEqual(await routed(env), ['1.2.0'], 'at once');
  t.deepEqual(machinesOf(await env.status(), 'dns').sort(), before, 'no machine was touched');
  // What the leader says of it comes after the write itself: the record is what tells.
  for (let tries = 0; (await rolloutOf(env)).phase !== 'done' && tries < 200; tries += 1);
  const undone = await rolloutOf(env);
  t.is(undone.phase, 'done', JSON.stringify(undone));
  t.deepEqual(errorAnswers(await load.stop()), []);

  // $ mcp history, mcp events --service dns
  t.regex((await env.mcp('history')).stdout, /rollback to 1\.2\.0/);
  t.regex((await env.mcp('events', '--service', 'dns')).stdout, /rollout\.started.*op [0-9a-f]{8}/);
});

test.serial(
  'a rollout that holds: others are refused, scaling is shared out, a dead machine is replaced, promote ends it',
  async (t) => {
    const env = environment();
    const load = underLoad(t, env);
    const upgrade = ['upgrade', 'dns', '--to', '1.4.0', '--artifact', dns, '--undo', '0s', ...quick];
    await env.mcp(...upgrade, '--pause-at', '1:promote', '--detach');
    for (let tries = 0; (await rolloutOf(env)).hold === null && tries < 200; tries += 1);
    t.is((await rolloutOf(env)).hold?.kind, 'pause');

    t.is(codeOf(await env.mcpFails(3, 'upgrade', 'dns', '--to', '1.3.0', '--json')), 'REFUSED_ROLLOUT');
    t.is(codeOf(await env.mcpFails(3, 'apply', '-f', join(examples, 'hosting.yaml'), '--json')), 'REFUSED_ROLLOUT');
    await env.mcp('scale', 'dns', '4', '--no-wait');
    const liveOf = (version: string, status: Awaited<ReturnType<TestEnvironment['status']>>) =>
      status.services.find(({ name }) => name === 'dns')?.versions.find((one) => one.version === version)?.live;
    const shared = await env.until(
      '2 and 2',
      (status) => liveOf('1.2.0', status) === 2 && liveOf('1.4.0', status) === 2,
    );
    const [old = ''] = machinesOf(shared, 'dns').filter((machine) =>
      (shared.services.find(({ name }) => name === 'dns')?.versions[0]?.instances ?? []).some(
        (one) => one.machine === machine,
      ),
    );
    await stopDaemon(statePaths(env.dir), 'controller-1', 5000);
    const load1 = errorAnswers(await load.stop());
    t.deepEqual(load1, []);
    await killMachines(env, [old]);
    await env.mcp('promote', 'dns');
    await env.until('done', (status) => settled(status) && liveOf('1.4.0', status) === 4 && !liveOf('1.2.0', status));
    for (let tries = 0; (await rolloutOf(env)).phase !== 'done' && tries < 200; tries += 1);
    t.is((await rolloutOf(env)).phase, 'done');
    await env.mcp('scale', 'dns', '2');
  },
);

test.serial(
  'versions that fail are taken back with the reason and the evidence; the old ones answer all the while',
  async (t) => {
    const env = environment();
    // A POST that a process takes into its death is lost; what may be asked again is.
    const load = underLoad(t, env, [calls[0], { method: 'GET', path: '/domains/v1/names' }]);
    // One that crashes after ten seconds of serving, while the others are tried on another service.
    const crashing = ['--command', 'timeout 10 node server.js', '--min-healthy', '20s', '--detach'];
    await env.mcp('upgrade', 'domains', '--to', '1.1.0', ...crashing);
    const cases = [
      {
        version: '2.0.0',
        words: ['--command', '["sh", "-c", "echo going down; exit 3"]'],
        says: /started \d times: exited with code 3; its last output:\s+going down/,
      },
      {
        version: '2.1.0',
        words: ['--command', 'sleep 60', '--healthy-deadline', '3s'],
        says: /not healthy within 3 s/,
      },
    ];
    for (const { version, words, says } of cases) {
      const { stdout } = await env.mcpFails(1, 'upgrade', 'dns', '--to', version, ...words);
      t.regex(stdout, says, version);
      t.regex(stdout, /Evidence/);
      t.deepEqual(await routed(env), ['1.4.0'], version);
    }
    await env.until(
      'the crashing one is gone',
      (status) => machinesOf(status, 'domains').length === 2 && settled(status),
    );
    const crashed = await rolloutOf(env, 'domains');
    t.is(crashed.phase, 'reverted');
    t.true(
      crashed.log.some(({ phase }) => phase === 'canary'),
      'it had traffic',
    );
    t.regex(
      crashed.evidence.join('\n'),
      /^1\.1\.0 on machine \w+: served and then failed: exited with code 124; its last/,
    );
    t.deepEqual(errorAnswers(await load.stop()), []);
    const { past, phase } = await rolloutOf(env);
    t.is(phase, 'reverted');
    t.deepEqual(
      past.map(({ outcome }) => outcome),
      ['done', 'done', 'done', 'reverted'],
    );

    // $ mcp rollback dns: to what really ran, not to what failed
    await env.mcp('rollback', 'dns', '--no-wait');
    const { to } = await rolloutOf(env);
    t.deepEqual(
      to.map(({ version }) => version),
      ['1.2.0'],
    );
    // $ mcp abort dns
    await env.mcp('abort', 'dns');
    t.deepEqual(await routed(env), ['1.4.0']);
  },
);

test.serial('a version whose document breaks callers gets no request, unless somebody says why it may', async (t) => {
  const env = environment();
  const parent = await mkdtemp(join(tmpdir(), 'mcp-breaking-'));
  t.teardown(() => rm(parent, { recursive: true, force: true }));
  const artifact = join(parent, 'dns');
  await cp(dns, artifact, { recursive: true });
  const path = join(artifact, 'openapi.json');
  const document = JSON.parse(await readFile(path, 'utf8')) as { paths: Record<string, Record<string, unknown>> };
  const [gone = ''] = Object.keys(document.paths).filter((one) => document.paths[one]?.delete !== undefined);
  delete document.paths[gone]?.delete;
  await writeFile(path, JSON.stringify(document));

  // $ mcp upgrade dns --to 3.0.0 --artifact services/dns
  const refused = await env.mcpFails(1, 'upgrade', 'dns', '--to', '3.0.0', '--artifact', artifact, ...quick);
  t.regex(refused.stdout, /the documents of 1\.4\.0 and 3\.0\.0: 1 change breaks callers/);
  t.true(refused.stdout.includes(`DELETE ${gone}`), refused.stdout);
  t.deepEqual(await routed(env), ['1.4.0']);
  const { versions } = JSON.parse((await env.mcp('gateway', 'traffic', '--json')).stdout)[0];
  t.false(
    versions.some(
      ({ version, requests }: { version: string; requests: number }) => version === '3.0.0' && requests > 0,
    ),
  );

  // $ mcp rollouts dns: is what is gone still called?
  await fetch(`${env.url}/dns/zones/nowhere.example?sure=1`, { method: 'DELETE' });
  await fetch(`${env.url}/dns/zones/nowhere.example`);
  const called = async () => (JSON.parse((await env.mcp('rollouts', 'dns', '--json')).stdout) as Called).calls;
  let calls = await called();
  for (let tries = 0; !calls?.[0]?.requests && tries < 40; tries += 1) {
    await fetch(`${env.url}/dns/zones/nowhere.example`, { method: 'DELETE' });
    calls = await called();
  }
  t.is(calls?.[0]?.operation, `DELETE ${gone}`);
  t.true((calls?.[0]?.requests ?? 0) > 0);
  t.regex(
    (await env.mcp('rollouts', 'dns')).stdout,
    /Still called\?.*DELETE \S+ +\d+ calls? +in \d+ s +the last \d+ s ago/s,
  );

  // $ mcp upgrade dns --to 3.0.0 --allow-breaking 'nobody deletes zones any more'
  const why = 'nobody deletes zones any more';
  const allowed = ['--artifact', artifact, '--allow-breaking', why, '--undo', '0s', ...quick];
  const { stdout, stderr } = await env.mcp('upgrade', 'dns', '--to', '3.0.0', ...allowed);
  t.is(stdout.trim(), 'dns runs 3.0.0.');
  t.true(stderr.includes(`1 change breaks callers; allowed: ${why}`), stderr);
});

/** Starts the service, which then fails as FAULT says. */
const faulty = `import { Server } from 'node:http';
const emit = Server.prototype.emit;
let asked = 0;
Server.prototype.emit = function (name, call, answer, ...rest) {
  const go = () => emit.call(this, name, call, answer, ...rest);
  if (name !== 'request' || call.url === '/healthz' || call.url === '/openapi.json') return go();
  asked += 1;
  if (process.env.FAULT === 'errors' && asked % 20 === 0) return void answer.writeHead(500).end();
  return process.env.FAULT === 'slow' ? void setTimeout(go, 40) : go();
};
await import('./server.js');
`;

test.serial('versions that serve badly are told by the gateway: 500 for one in twenty, or slow', async (t) => {
  const env = environment();
  const parent = await mkdtemp(join(tmpdir(), 'mcp-faulty-'));
  t.teardown(() => rm(parent, { recursive: true, force: true }));
  const artifact = join(parent, 'dns');
  await cp(dns, artifact, { recursive: true });
  await writeFile(join(artifact, 'faulty.js'), faulty);
  const [before = ''] = await routed(env);
  const load = startLoad(env.url, [calls[0]], { clients: 8, pauseMs: 5 });
  t.teardown(() => void load.stop());
  const cases = [
    { version: '4.0.0', fault: 'errors', says: /errors: \d+\.\d % of the new, 0\.0 % of the old.*1\.0 % is allowed/ },
    { version: '4.1.0', fault: 'slow', says: /slower than \d+ ms: \d+\.\d % of the new/ },
  ];
  for (const { version, fault, says } of cases) {
    const words = ['--artifact', artifact, '--command', 'node faulty.js', '--env', `FAULT=${fault}`];
    const { stdout } = await env.mcpFails(1, 'upgrade', 'dns', '--to', version, ...words, '--allow-breaking', 'a test');
    t.regex(stdout, /the new version answers worse than the old one/, version);
    t.regex(stdout, says, version);
    const [, compared = '0'] = /(\d+) requests of the new version/.exec(stdout) ?? [];
    t.true(Number(compared) >= 50, `${compared} requests are enough`);
    t.deepEqual(await routed(env), [before], version);
  }
  const { requests, failures } = await load.stop();
  t.deepEqual([...new Set(failures.map(({ what }) => what))], ['500'], 'nothing but its own errors');
  t.true(failures.length < requests / 40, 'and these only while it was tried');
});

test.serial('a damaged artifact never starts; a registry that is killed in the midst only takes time', async (t) => {
  const env = environment();
  const [before = ''] = await routed(env);
  const load = startLoad(env.url, [calls[0]], { clients: 2, pauseMs: 20 });
  t.teardown(() => void load.stop());
  const { artifacts } = statePaths(env.dir);
  const store = new Map((await readdir(artifacts)).map((name) => [name, join(artifacts, name)]));
  const parent = await mkdtemp(join(tmpdir(), 'mcp-damaged-'));
  t.teardown(() => rm(parent, { recursive: true, force: true }));
  await cp(dns, parent, { recursive: true });
  await writeFile(join(parent, 'more.txt'), 'more');

  // $ mcp upgrade dns --to 5.0.0, whose first try is aborted
  await env.mcp('upgrade', 'dns', '--to', '5.0.0', '--artifact', parent, '--canary', '0', '--detach');
  await env.mcp('abort', 'dns');
  const [added = ''] = (await readdir(artifacts)).filter((name) => !store.has(name));
  await appendFile(join(artifacts, added), 'x');
  const { stdout } = await env.mcpFails(1, 'upgrade', 'dns', '--to', '5.0.0', ...quick);
  t.regex(stdout, /digest|sha256/);
  t.deepEqual(await routed(env), [before]);

  // $ mcp upgrade dns --to 1.5.0
  await env.mcp(
    'upgrade',
    'dns',
    '--to',
    '1.5.0',
    '--artifact',
    dns,
    ...quick,
    '--allow-breaking',
    'a test',
    '--detach',
  );
  await env.until('one new serves', ({ services }) =>
    services.some(({ versions }) => versions.some(({ version, live }) => version === '1.5.0' && live > 0)),
  );
  process.kill(await daemonPid(env, 'zookeeper'), 'SIGKILL');
  await env.until('all is new', ({ services }) =>
    services.some(({ versions }) =>
      versions.some(({ version, live, weight }) => version === '1.5.0' && live === 2 && weight === 100),
    ),
  );
  for (let tries = 0; (await rolloutOf(env)).phase !== 'done' && tries < 100; tries += 1);
  t.is((await rolloutOf(env)).phase, 'done');
  t.deepEqual(errorAnswers(await load.stop()), []);
});
