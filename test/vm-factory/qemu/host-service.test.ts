import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { HostSide } from '../../../registrar/agent/host-side.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { type HostGrant, hostFiles } from '../../../vm-factory/qemu/grant.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const program = fileURLToPath(new URL('../../../vm-factory/qemu/host-service.ts', import.meta.url));
const never = new AbortController().signal;

/** A machine's folder, and its host service started for each connection as QEMU does. */
async function bench(t: ExecutionContext, change: Partial<HostGrant> = {}) {
  const folder = await tempDir(t);
  const artifacts = join(folder, 'artifacts');
  await mkdir(artifacts);
  const grant = {
    uuid: 'me',
    address: '127.9.9.9',
    token: 'secret',
    expiresAt: systemClock.monotonic() + 60_000,
    grantedAt: 0,
    artifacts,
  };
  const put = () => writeFile(join(folder, hostFiles.grant), JSON.stringify({ ...grant, ...change }));
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn(process.execPath, ['--no-warnings', program], {
      cwd: folder,
      stdio: [socket, 'inherit', 'inherit'],
    });
    child.once('exit', () => socket.destroy());
    t.teardown(() => void child.kill('SIGKILL'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const side = (pass: string) => new HostSide({ url, pass, bindAddress: '10.0.2.15', gateway: '127.0.0.1' });
  return { folder, artifacts, put, url, side };
}

const [mine, thief] = ['a'.repeat(48), 'b'.repeat(48)];

test('a token works once: its user may ask again, nobody else, and nobody by another name', async (t) => {
  const { put, side } = await bench(t);
  await t.throwsAsync(side(mine).join('me', 'secret', never), { code: 'HOST_REFUSED', message: /no identity yet/ });
  await put();
  await t.throwsAsync(side(mine).join('somebody-else', 'secret', never), {
    code: 'HOST_REFUSED',
    message: /another machine/,
  });
  await t.throwsAsync(side(mine).join('me', 'guessed', never), { code: 'HOST_REFUSED', message: /token/ });
  await side(mine).join('me', 'secret', never);
  await side(mine).join('me', 'secret', never);
  const error = await t.throwsAsync(side(thief).join('me', 'secret', never), { code: 'HOST_REFUSED', message: /used/ });
  t.false(Object(error).retryable);
});

test('an expired token is worth nothing', async (t) => {
  const { put, side } = await bench(t, { expiresAt: systemClock.monotonic() - 1 });
  await put();
  await t.throwsAsync(side(mine).join('me', 'secret', never), { code: 'HOST_REFUSED', message: /expired/ });
});

test('who has not joined gets no port and no artifact; who has gets artifacts by their digest only', async (t) => {
  const { folder, artifacts, put, url, side } = await bench(t);
  await put();
  const digest = 'd'.repeat(64);
  await writeFile(join(artifacts, `${digest}.tar`), 'packed');
  const ask = (path: string, pass: string) => fetch(`${url}${path}`, { headers: { authorization: `Bearer ${pass}` } });
  t.is((await ask(`/artifacts/${digest}`, mine)).status, 425);
  await t.throwsAsync(side(mine).openPort(8080, never), { code: 'HOST_REFUSED', message: /not joined/ });
  await side(mine).join('me', 'secret', never);
  const { url: source, headers } = side(mine).sourceOf({ url: 'file:///anything', sha256: digest });
  t.is(await (await fetch(source, { headers })).text(), 'packed');
  t.is((await ask(`/artifacts/${digest}`, thief)).status, 425);
  for (const path of [`/artifacts/${'e'.repeat(64)}`, '/artifacts/../grant.json', '/grant.json', '/'])
    t.is((await ask(path, mine)).status, 404, path);
  // There is no QEMU to ask here, which is no reason to end.
  await t.throwsAsync(side(mine).openPort(8080, never), { code: 'HOST_REFUSED', message: /127\.9\.9\.9:8080/ });
  t.true((await readFile(join(folder, hostFiles.grant), 'utf8')).includes('secret'));
});

test("what is at the host's loopback is fetched through its gateway, what is elsewhere from there", async (t) => {
  const { side } = await bench(t);
  const sourceOf = (url: string) => side(mine).sourceOf({ url, sha256: 'x' }).url;
  t.is(sourceOf('http://localhost:81/a'), 'http://127.0.0.1:81/a');
  t.is(sourceOf('https://192.0.2.1/a'), 'https://192.0.2.1/a');
});

test('a guest that is warmed up gets the one artifact that is offered, and nothing else', async (t) => {
  const { folder, artifacts, url } = await bench(t);
  const [offered, other] = ['e'.repeat(64), 'f'.repeat(64)];
  for (const digest of [offered, other]) await writeFile(join(artifacts, `${digest}.tar`), digest);
  await writeFile(join(folder, hostFiles.offer), JSON.stringify({ artifacts, sha256: offered }));
  const get = (digest: string) => fetch(`${url}/artifacts/${digest}`, { headers: { connection: 'close' } });
  t.is(await (await get(offered)).text(), offered);
  // Nobody is anybody there yet.
  t.is((await get(other)).status, 425);
});
