/** An operator's word on who goes; and one file that changes several services, in their order. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { errorAnswers, machinesOf } from '../helpers/environment-faults.ts';
import { startLoad } from '../helpers/load.ts';
import { shareEnvironment } from '../helpers/local-environment.ts';

const environment = shareEnvironment(test);

interface File {
  services: Record<string, { versions: Record<string, unknown>; after?: string[]; rollout?: object }>;
}

/** The service gets the same under another name, at once. */
function bump({ services }: File, name: string, to: string, more: object = {}): void {
  const service = services[name];
  const [run] = Object.values(service?.versions ?? {});
  const rollout = { surge: '100%', batch: '100%', canary: 0, 'min-healthy': '200ms', bake: '200ms', undo: '0s' };
  Object.assign(service ?? {}, { rollout, versions: { [to]: run }, ...more });
}

test.serial(
  'a protected instance can’t be told to go; another one is, and the count falls by one or stays',
  async (t) => {
    const env = environment();
    const [one = '', two = ''] = machinesOf(await env.status(), 'dns');
    // $ mcp machines protect ID --reason 'under examination'
    await env.mcp('machines', 'protect', one.slice(0, 8), '--reason', 'under examination');
    t.regex((await env.mcp('machines')).stdout, /protected by operator:.*: under examination/);
    t.regex((await env.mcp('why', 'dns')).stdout, /protected by operator:.*: under examination/);
    const refused = await env.mcpFails(3, 'scale', 'dns', '--remove', one, '--json');
    t.is((JSON.parse(refused.stderr) as { error: { code: string } }).error.code, 'REFUSED_MACHINE');
    // $ mcp scale dns --remove ID --replace
    await env.mcp('scale', 'dns', '--remove', two, '--replace');
    const replaced = machinesOf(await env.status(), 'dns');
    t.deepEqual([replaced.length, replaced.includes(one), replaced.includes(two)], [2, true, false]);
    // $ mcp scale dns 1: the policy would take the older one
    await env.mcp('scale', 'dns', '1');
    t.deepEqual(machinesOf(await env.status(), 'dns'), [one]);
    // $ mcp scale dns 2, mcp scale dns --remove ID
    await env.mcp('scale', 'dns', '2');
    await env.mcp('machines', 'unprotect', one);
    await env.mcp('scale', 'dns', '--remove', one);
    const left = machinesOf(await env.status(), 'dns');
    t.deepEqual([left.length, left.includes(one)], [1, false]);
    await env.mcpFails(2, 'scale', 'dns', '2', '--remove', one);
    await env.mcp('scale', 'dns', '2');
  },
);

test.serial(
  'one apply rolls out the services it changes, each after those it comes after, and loses no request',
  async (t) => {
    const env = environment();
    const parent = await mkdtemp(join(tmpdir(), 'mcp-order-'));
    t.teardown(() => rm(parent, { recursive: true, force: true }));
    const file = parse((await env.mcp('export')).stdout) as File;
    bump(file, 'dns', '1.3.0');
    bump(file, 'domains', '1.1.0', { after: ['dns'] });
    const path = join(parent, 'hosting.yaml');
    await writeFile(path, stringify(file));
    const load = startLoad(env.url, [{ method: 'GET', path: '/dns/zones' }], { clients: 2, pauseMs: 20 });
    t.teardown(() => void load.stop());

    // $ mcp plan -f hosting.yaml
    const plan = await env.mcpFails(4, 'plan', '-f', path);
    t.regex(plan.stdout, /1 +dns +1\.2\.0 -> 1\.3\.0 *\n *2 +domains +1\.0\.0 -> 1\.1\.0 +dns/);
    // $ mcp apply -f hosting.yaml
    const { stdout } = await env.mcp('apply', '-f', path);
    t.regex(stdout, /dns +1\.2\.0 -> 1\.3\.0 +done /);
    t.regex(stdout, /domains +1\.0\.0 -> 1\.1\.0 +done /);
    t.deepEqual(errorAnswers(await load.stop()), []);
    // $ mcp rollouts domains
    const { log } = JSON.parse((await env.mcp('rollouts', 'domains', '--json')).stdout) as { log: { phase: string }[] };
    t.is(log[0]?.phase, 'waiting');
    // $ mcp diff -f hosting.yaml
    await env.mcp('diff', '-f', path);
  },
);
