/** The whole job on real virtual machines: `mcp up --provider qemu`. */
import { mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { statePaths } from '../../mcp/local/state.ts';
import { examples, instancesOf, settled, startEnvironment } from '../helpers/local-environment.ts';
import { noQemu } from '../helpers/qemu-machines.ts';

/** What the example declares as its images, with whole paths. */
async function exampleImages(): Promise<string> {
  const text = await readFile(join(examples, 'greeting.yaml'), 'utf8');
  const images = text.slice(text.indexOf('\nimages:'), text.indexOf('\npool:'));
  return images.replaceAll(' images/', ` ${join(examples, 'images')}/`);
}

interface Said {
  from: string;
  text: string;
}

if (noQemu) test.skip(`an environment of virtual machines: not run, ${noQemu}`, () => {});
else
  test('services on virtual machines, one on an image baked with Puppet: served, killed with QEMU, replaced, gone at the end', async (t) => {
    // A Debian image is baked with Puppet where none is kept from an earlier run.
    t.timeout(1_200_000);
    const parent = await mkdtemp(join(tmpdir(), 'mcp-virtual-'));
    t.teardown(() => rm(parent, { recursive: true, force: true }));
    const file = join(parent, 'environment.yaml');
    const dns = join(examples, 'services', 'dns');
    const declare = (images: string) =>
      writeFile(
        file,
        `environment: virtual
pool: { size: 1 }
${images}
services:
  greeting:
    image: greeting
    health: { http: /, timeout: 5s }
    versions:
      1.0.0: { count: 1, command: [node, /opt/greeting/server.js], port: 8080 }
  dns:
    document: /openapi.json
    health: { http: /healthz, timeout: 2s }
    config: { default-ttl: 60 }
    versions:
      1.2.0: { count: 1, artifact: { directory: ${dns} }, command: [node, server.js], port: 8080 }
`,
      );
    const images = await exampleImages();
    await declare(images);
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
    const greeting = async () => (await fetch(`${env.url}/greeting/`, { headers: { connection: 'close' } })).text();
    t.regex(await greeting(), /^Hello from Debian \d+, by Puppet\n$/);
    // Another declaration is another image, which nobody has baked: what asks for it waits and goes on as it is.
    await declare(`${images}      - run: "true"\n`);
    await env.mcp('apply', '-f', file, '--no-wait');
    await env.until('the service says what it waits for', ({ waiting }) =>
      waiting.some(({ what, why }) => what === 'greeting@1.0.0' && /no image greeting@[0-9a-f]{12}: bake it/.test(why)),
    );
    t.regex(await greeting(), /by Puppet/);
    await env.mcp('down');
  });
