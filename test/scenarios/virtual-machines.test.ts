/** The whole job on real virtual machines: `mcp up --provider qemu`. */
import { mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { statePaths } from '../../mcp/local/state.ts';
import { examples, instancesOf, settled, startEnvironment } from '../helpers/local-environment.ts';
import { noQemu } from '../helpers/qemu-machines.ts';

interface Said {
  from: string;
  text: string;
}

if (noQemu) test.skip(`an environment of virtual machines: not run, ${noQemu}`, () => {});
else
  test('one service on virtual machines: served, killed with its QEMU, replaced, and all gone at the end', async (t) => {
    t.timeout(400_000);
    const parent = await mkdtemp(join(tmpdir(), 'mcp-virtual-'));
    t.teardown(() => rm(parent, { recursive: true, force: true }));
    const file = join(parent, 'environment.yaml');
    const dns = join(examples, 'services', 'dns');
    await writeFile(
      file,
      `environment: virtual
pool: { size: 1 }
services:
  dns:
    document: /openapi.json
    health: { http: /healthz, timeout: 2s }
    config: { default-ttl: 60 }
    versions:
      1.2.0: { count: 1, artifact: { directory: ${dns} }, command: [node, server.js], port: 8080 }
`,
    );
    const env = await startEnvironment(t, { file, args: ['--provider', 'qemu'] });
    const served = async () => {
      const response = await fetch(`${env.url}/dns/zones`, { headers: { connection: 'close' } });
      await response.arrayBuffer();
      return { status: response.status, by: response.headers.get('x-served-by') };
    };
    const first = instancesOf(await env.status(), 'dns')[0]?.machine ?? '';
    t.deepEqual(await served(), { status: 200, by: first });

    await env.until('a machine in the pool', (status) => status.pool.ready === 1, 120_000);
    const identity = await readlink(join(statePaths(env.dir).factory, 'machines', first, 'identity'));
    process.kill(Number(identity.split(':')[0]), 'SIGKILL');
    const after = await env.until(
      'another machine serves',
      (status) => settled(status) && instancesOf(status, 'dns').some(({ machine }) => machine !== first),
      120_000,
    );
    const second = instancesOf(after, 'dns')[0]?.machine ?? '';
    t.not(second, first);
    t.deepEqual(await served(), { status: 200, by: second });
    const { provider } = await env.status();
    t.is(provider?.name, 'qemu');
    t.regex(provider?.facts.accelerator ?? '', /^(kvm|tcg)$/);
    t.regex((await env.mcp('status')).stdout, /machines {2}qemu: accelerator \w+/);
    // The one that was killed is no more; what it, its agent and its service said is still there.
    for (const machine of [second, first]) {
      const { lines } = JSON.parse((await env.mcp('machines', 'console', machine, '--json')).stdout);
      t.true(lines.some(({ from, text }: Said) => from === 'agent' && text.includes('phase=serving')));
      t.true(lines.some(({ from }: Said) => from === 'service'));
      t.true(lines.some(({ from, text }: Said) => from === 'machine' && text.includes(machine)));
    }
    await env.mcp('down');
  });
