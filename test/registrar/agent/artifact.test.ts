import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { ArtifactStore, defaultArtifactLimits } from '../../../registrar/agent/artifact.ts';
import { McpError } from '../../../specs/errors.ts';
import { makeTar, makeTarGz, sha256, type TarEntry } from '../../helpers/make-tar.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

const limits = {
  ...defaultArtifactLimits,
  maxArtifactBytes: 200_000,
  maxBytes: 1_000_000,
  maxEntries: 50,
  maxRatio: 100,
  ratioFloorBytes: 300_000,
};

async function place(t: ExecutionContext, name: string, content: Buffer) {
  const dir = await tempDir(t);
  const file = join(dir, 'source', name);
  await mkdir(join(dir, 'source'));
  await writeFile(file, content);
  const store = new ArtifactStore(join(dir, 'artifacts'), limits);
  return { dir, store, artifact: { url: pathToFileURL(file).href, sha256: sha256(content) } };
}

/** All names below a directory, sorted. */
async function everything(dir: string): Promise<string[]> {
  return (await readdir(dir, { recursive: true })).sort();
}

const good: TarEntry[] = [
  { name: './', type: 'directory', mode: 0o755 },
  { name: './bin/', type: 'directory', mode: 0o700 },
  { name: './bin/run', content: '#!/bin/sh\n', mode: 0o744 },
  { name: './data/deep/file.txt', content: 'hello', mode: 0o600 },
];

for (const [kind, make, name] of [
  ['tar', makeTar, 'a.tar'],
  ['gzipped tar', makeTarGz, 'a.tgz'],
] as const) {
  test(`a ${kind} is unpacked with its executable bits and then kept by its digest`, async (t) => {
    const { dir, store, artifact } = await place(t, name, await make(good));
    const home = await store.fetch(artifact);
    t.deepEqual(await everything(home), ['bin', 'bin/run', 'data', 'data/deep', 'data/deep/file.txt']);
    t.is(await readFile(join(home, 'data/deep/file.txt'), 'utf8'), 'hello');
    t.is((await stat(join(home, 'bin/run'))).mode & 0o7777, 0o755);
    t.is((await stat(join(home, 'data/deep/file.txt'))).mode & 0o7777, 0o644);
    t.deepEqual(await readdir(join(dir, 'artifacts')), [artifact.sha256]);
    t.is(await store.fetch({ ...artifact, url: 'file:///nowhere/any-more.tar' }), home);
  });
}

test('what is no archive is kept as one executable file under its own name', async (t) => {
  const { store, artifact } = await place(t, 'tool%20x', Buffer.from('#!/bin/sh\necho hi\n'));
  const home = await store.fetch(artifact);
  t.deepEqual(await readdir(home), ['tool%20x']);
  t.is((await stat(join(home, 'tool%20x'))).mode & 0o7777, 0o755);
});

const hello = { name: 'hello.txt', content: 'hello' };
const long = 'd/'.repeat(70);

interface Attack {
  title: string;
  code: string;
  name?: string;
  make: () => Promise<Buffer>;
}

function evil(title: string, code: string, entries: TarEntry[]): Attack {
  return { title, code, make: () => makeTar(entries) };
}

const attacks: Attack[] = [
  evil('a name that leads out of its directory', 'ARTIFACT_UNSAFE', [hello, { name: '../evil', content: 'x' }]),
  evil('a name that leads out from within', 'ARTIFACT_UNSAFE', [hello, { name: 'a/b/../../../evil', content: 'x' }]),
  evil('a directory outside', 'ARTIFACT_UNSAFE', [hello, { name: '../evil/', type: 'directory' }]),
  evil('an absolute name', 'ARTIFACT_UNSAFE', [hello, { name: '/tmp/evil', content: 'x' }]),
  evil('a name with a line break', 'ARTIFACT_UNSAFE', [hello, { name: 'a\nb', content: 'x' }]),
  evil('a name with a backslash', 'ARTIFACT_UNSAFE', [hello, { name: '..\\evil', content: 'x' }]),
  evil('a deeply nested name', 'ARTIFACT_UNSAFE', [hello, { name: `${long}x`, content: 'x' }]),
  evil('a symbolic link', 'ARTIFACT_UNSAFE', [hello, { name: 'l', type: 'symlink', linkname: '/etc/passwd' }]),
  evil('a symbolic link and a file through it', 'ARTIFACT_UNSAFE', [
    { name: 'l', type: 'symlink', linkname: '..' },
    { name: 'l/evil', content: 'x' },
  ]),
  evil('a hard link', 'ARTIFACT_UNSAFE', [hello, { name: 'l', type: 'link', linkname: 'hello.txt' }]),
  evil('a fifo', 'ARTIFACT_UNSAFE', [hello, { name: 'f', type: 'fifo' }]),
  evil('a character device', 'ARTIFACT_UNSAFE', [hello, { name: 'c', type: 'character-device' }]),
  evil('a block device', 'ARTIFACT_UNSAFE', [hello, { name: 'b', type: 'block-device' }]),
  evil('a setuid program', 'ARTIFACT_UNSAFE', [hello, { name: 's', content: 'x', mode: 0o4755 }]),
  evil('a setgid program', 'ARTIFACT_UNSAFE', [hello, { name: 's', content: 'x', mode: 0o2755 }]),
  evil('two files of one name', 'ARTIFACT_UNSAFE', [hello, { name: './hello.txt', content: 'other' }]),
  evil('a file below a file', 'ARTIFACT_UNSAFE', [hello, { name: 'hello.txt/below', content: 'x' }]),
  {
    title: 'a bomb of entries',
    code: 'ARTIFACT_TOO_LARGE',
    name: 'a.tgz',
    make: () => makeTarGz(Array.from({ length: 60 }, (_, index) => ({ name: `f${index}` }))),
  },
  {
    title: 'a bomb of bytes',
    code: 'ARTIFACT_TOO_LARGE',
    name: 'a.tgz',
    make: () => makeTarGz([{ name: 'zeros', content: Buffer.alloc(5_000_000) }]),
  },
  {
    title: 'a bomb by its ratio',
    code: 'ARTIFACT_TOO_LARGE',
    name: 'a.tgz',
    make: () => makeTarGz([{ name: 'zeros', content: Buffer.alloc(900_000) }]),
  },
  {
    title: 'more bytes than an artifact may have',
    code: 'ARTIFACT_TOO_LARGE',
    make: () => makeTar([{ name: 'big', content: Buffer.alloc(300_000) }]),
  },
  {
    title: 'a tar cut in the middle of a file',
    code: 'ARTIFACT_DAMAGED',
    make: async () => (await makeTar([hello, { name: 'big', content: Buffer.alloc(9_000) }])).subarray(0, 5_000),
  },
  {
    title: 'a tar cut between two entries',
    code: 'ARTIFACT_DAMAGED',
    make: async () => (await makeTar([hello, { name: 'big', content: Buffer.alloc(9_000) }])).subarray(0, 1_024),
  },
  {
    title: 'a gzipped tar cut short',
    code: 'ARTIFACT_DAMAGED',
    name: 'a.tgz',
    make: async () => {
      const whole = await makeTarGz([{ name: 'noise', content: Buffer.from(sha256(Buffer.from('x')).repeat(500)) }]);
      return whole.subarray(0, whole.length - 20);
    },
  },
  {
    title: 'rubbish after the first entry',
    code: 'ARTIFACT_DAMAGED',
    make: async () => Buffer.concat([(await makeTar([hello])).subarray(0, 1_024), Buffer.alloc(2_048, 'x')]),
  },
  { title: 'something called a tar that is none', code: 'ARTIFACT_DAMAGED', make: async () => Buffer.from('no tar') },
  {
    title: 'a gzip of something called a tar that is none',
    code: 'ARTIFACT_DAMAGED',
    name: 'a.tar.gz',
    make: async () => gzipSync('no tar'),
  },
];

for (const { title, code, name = 'a.tar', make } of attacks)
  test(`an artifact with ${title} is refused and leaves nothing behind`, async (t) => {
    const { dir, store, artifact } = await place(t, name, await make());
    const error = await t.throwsAsync(store.fetch(artifact), { instanceOf: McpError });
    t.is(error?.code, code, error?.message);
    t.false(error?.retryable);
    t.deepEqual(await everything(dir), ['artifacts', 'source', `source/${name}`]);
  });

test('an artifact that is not what was declared is refused and leaves nothing behind', async (t) => {
  const { dir, store, artifact } = await place(t, 'a.tar', await makeTar(good));
  const error = await t.throwsAsync(store.fetch({ ...artifact, sha256: sha256(Buffer.from('other')) }));
  t.is((error as McpError).code, 'ARTIFACT_DIGEST_MISMATCH');
  t.deepEqual(await readdir(join(dir, 'artifacts')), []);
});

for (const [url, code] of [
  ['ftp://127.0.0.1/a.tar', 'ARTIFACT_BAD_URL'],
  ['not a url', 'ARTIFACT_BAD_URL'],
  ['file://host/a.tar', 'ARTIFACT_BAD_URL'],
  ['file:///nowhere/at/all.tar', 'ARTIFACT_UNAVAILABLE'],
] as const)
  test(`${url} can't be fetched and says why`, async (t) => {
    const store = new ArtifactStore(await tempDir(t), limits);
    const error = await t.throwsAsync(store.fetch({ url, sha256: sha256(Buffer.from('')) }), { instanceOf: McpError });
    t.is(error?.code, code);
    t.is(error?.retryable, code === 'ARTIFACT_UNAVAILABLE');
  });

test('what a killed agent left half-fetched is swept away, what is whole stays', async (t) => {
  const { dir, store, artifact } = await place(t, 'a.tar', await makeTar(good));
  await store.fetch(artifact);
  await mkdir(join(dir, 'artifacts', '.tmp-abc'));
  await store.sweep();
  t.deepEqual(await readdir(join(dir, 'artifacts')), [artifact.sha256]);
});

async function serve(t: ExecutionContext, handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server: Server = createServer(handler ?? (() => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('an artifact is fetched over http, through redirects of the same host', async (t) => {
  const content = await makeTarGz(good);
  const base = await serve(t, (request, response) => {
    if (request.url === '/a.tgz') response.writeHead(302, { location: '/moved/a.tgz' }).end();
    else response.end(content);
  });
  const store = new ArtifactStore(await tempDir(t), limits);
  const home = await store.fetch({ url: `${base}/a.tgz?token=1`, sha256: sha256(content) });
  t.true((await everything(home)).includes('bin/run'));
});

test('a redirect to another host is not followed', async (t) => {
  let asked = 0;
  const other = await serve(t, (_request, response) => {
    asked += 1;
    response.end('x');
  });
  const base = await serve(t, (_request, response) => response.writeHead(302, { location: `${other}/a.tgz` }).end());
  const store = new ArtifactStore(await tempDir(t), limits);
  const error = await t.throwsAsync(store.fetch({ url: `${base}/a`, sha256: sha256(Buffer.from('x')) }));
  t.is((error as McpError).code, 'ARTIFACT_BAD_URL');
  t.is(asked, 0);
});

test('an answer that never ends is given up at the limit of bytes, one that stops at the limit of time', async (t) => {
  const base = await serve(t, (request, response) => {
    if (request.url === '/silent') response.write('x');
    else setInterval(() => response.write(Buffer.alloc(50_000)), 1).unref();
  });
  const dir = await tempDir(t);
  const store = new ArtifactStore(dir, { ...limits, fetchTimeoutMs: 1_000 });
  const digest = sha256(Buffer.from('x'));
  const endless = await t.throwsAsync(store.fetch({ url: `${base}/endless`, sha256: digest }));
  t.is((endless as McpError).code, 'ARTIFACT_TOO_LARGE');
  const silent = await t.throwsAsync(store.fetch({ url: `${base}/silent`, sha256: digest }));
  t.is((silent as McpError).code, 'ARTIFACT_UNAVAILABLE');
  t.regex(silent?.message ?? '', /not here after 1000 ms/);
  t.deepEqual(await readdir(dir), []);
});

test('a refusing server is named, and its status decides whether to try again', async (t) => {
  const base = await serve(t, (request, response) => response.writeHead(Number(request.url?.slice(1))).end());
  const store = new ArtifactStore(await tempDir(t), limits);
  for (const [status, retryable] of [
    [503, true],
    [404, true],
    [403, false],
  ] as const) {
    const error = await t.throwsAsync(store.fetch({ url: `${base}/${status}`, sha256: sha256(Buffer.from('')) }));
    t.is((error as McpError).code, 'ARTIFACT_UNAVAILABLE');
    t.is((error as McpError).retryable, retryable);
  }
});

test('an aborted fetch rejects with the reason and leaves nothing behind', async (t) => {
  const base = await serve(t, (_request, response) => response.write('x'));
  const dir = await tempDir(t);
  const store = new ArtifactStore(dir, limits);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  const error = await t.throwsAsync(store.fetch({ url: `${base}/a`, sha256: sha256(Buffer.from('')) }, signal));
  t.is(error, reason);
  t.deepEqual(await readdir(dir), []);
});
