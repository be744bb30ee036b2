/** The merged document from pieces, by a real nginx: what happens to slow clients, to damage, and where the mode changes. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { basename, join } from 'node:path';
import test from 'ava';
import { listsText, readLists } from '../../../proxy-daemon/document/piece-list.ts';
import type { DocumentFolders, MergedDocument } from '../../../proxy-daemon/document-source.ts';
import { stopNginx } from '../../../proxy-daemon/main.ts';
import { gatewayPaths } from '../../../proxy-daemon/nginx/paths.ts';
import { runNginx } from '../../../proxy-daemon/nginx/run-nginx.ts';
import {
  type DocumentForm,
  removeOtherDocument,
  servedDocument,
  writeDocument,
} from '../../../proxy-daemon/nginx/served-document.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { eventually } from '../../helpers/eventually.ts';
import { fixedDocuments } from '../../helpers/fixed-documents.ts';
import { testGateway } from '../../helpers/gateway.ts';
import { tempDir } from '../../helpers/temp-dir.ts';

/** More than sockets and nginx take in without a reader. */
const large = { text: randomBytes(12_000_000).toString('hex') };

const titleAt = async (gateway: { ask(path: string): Promise<{ body: string }> }) =>
  JSON.parse((await gateway.ask('/openapi.json')).body).title as string;

function begin(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, resolve).on('error', reject);
  });
}

async function read(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('a client that reads slowly gets the document it began with, and others are answered meanwhile', async (t) => {
  const gateway = await testGateway(t);
  const documents = fixedDocuments('first', large);
  gateway.start({ mode: 'dynamic', documents: documents.source, workers: 1 });
  await gateway.settled();
  const expected = await read(await begin(`${gateway.url}/openapi.json`));
  const slow = await begin(`${gateway.url}/openapi.json`);
  for (const title of ['second', 'third']) {
    documents.set(title);
    await eventually(title, async () => (await titleAt(gateway)) === title);
  }
  t.true((await read(slow)).equals(expected));
});

test('a piece that is missing or torn fails the answer, and never makes another one of it', async (t) => {
  const gateway = await testGateway(t);
  gateway.start({ mode: 'dynamic', documents: fixedDocuments('first', large).source });
  await gateway.settled();
  const { pieces, lists } = gatewayPaths(gateway.dir).documents;
  const found = readLists(await readFile(lists, 'utf8'))?.lists.find(({ file }) => file === 'openapi.json');
  const piece = join(pieces, found?.ranges[0]?.name ?? '');
  await rename(piece, `${piece}.away`);
  const { status, body, headers } = await gateway.ask('/openapi.json');
  t.deepEqual([status, JSON.parse(body).error.code], [500, 'GATEWAY_ERROR']);
  t.deepEqual([headers.etag, headers['content-encoding']], [undefined, undefined]);
  await rename(`${piece}.away`, piece);
  t.is(await titleAt(gateway), 'first');
  await truncate(piece, 1_000_000);
  await t.throwsAsync(gateway.ask('/openapi.json'), { code: 'ECONNRESET' });
  t.is((await gateway.ask('/openapi.yaml')).status, 200, 'others are well');
});

test('the document stays over changes of the mode and back, and after a restart of nginx without its daemon', async (t) => {
  const gateway = await testGateway(t);
  const { documents } = gatewayPaths(gateway.dir);
  gateway.start({ mode: 'dynamic', documents: fixedDocuments('first').source });
  await gateway.settled();
  for (const [mode, gone, there] of [
    ['plain', documents.lists, documents.current],
    ['dynamic', documents.current, documents.lists],
  ] as const) {
    await gateway.end();
    gateway.start({ mode, documents: fixedDocuments('').source });
    await eventually(
      mode,
      async () => (await gateway.status()).mode === mode && existsSync(there) && !existsSync(gone),
    );
    await gateway.settled();
    t.is(await titleAt(gateway), 'first');
    t.regex((await gateway.ask('/openapi.yaml')).body, /title: first/);
  }
  t.deepEqual(
    (await readdir(documents.all)).filter((name) => name.startsWith('generation-')),
    [],
  );
  await gateway.end();
  gateway.registry.stop();
  await stopNginx(gateway.dir, systemClock, 500);
  const started = await runNginx(['-p', gateway.dir, '-c', gatewayPaths(gateway.dir).config], gateway.dir);
  t.true(started.ok, started.output);
  await eventually('it serves', async () => (await titleAt(gateway).catch(() => '')) === 'first');
  await rm(documents.lists);
  t.is((await gateway.ask('/openapi.json')).status, 404);
});

test('what is in place is never written to, also where a generation is tried again with another document', async (t) => {
  const paths = gatewayPaths(await tempDir(t));
  await mkdir(paths.documents.all, { recursive: true });
  const inPlace = (form: DocumentForm) => servedDocument(paths, form)?.digest;
  for (const [form, places] of [
    ['lists', [1, 1, 1]],
    // The link, its folder, and the one before.
    ['whole', [2, 3, 3]],
  ] as const) {
    let before: string | undefined;
    for (const [at, digest] of ['first', 'second', 'third'].entries()) {
      const document = madeOfItsDigest(digest, async () => {
        t.is(inPlace(form), before);
      });
      const putInPlace = await writeDocument(paths, form, 7, document);
      t.is(inPlace(form), before);
      await putInPlace();
      t.is(inPlace(form), digest);
      const there = (await readdir(paths.documents.all)).filter((name) => /^(lists|generation|current)/.test(name));
      t.is(there.length, places[at] ?? 0, there.join(' '));
      before = digest;
    }
    await removeOtherDocument(paths, form === 'lists' ? 'whole' : 'lists');
  }
});

test('what one mode served stays until the other one serves, and then only its own is there', async (t) => {
  const paths = gatewayPaths(await tempDir(t));
  await mkdir(paths.documents.all, { recursive: true });
  await mkdir(paths.documents.pieces, { recursive: true });
  for (const [form, digest] of [
    ['lists', 'of pieces'],
    ['whole', 'of files'],
  ] as const) {
    const putInPlace = await writeDocument(paths, form, 7, madeOfItsDigest(digest));
    await putInPlace();
  }
  t.is(servedDocument(paths, 'lists')?.digest, 'of pieces');
  await removeOtherDocument(paths, 'whole');
  t.is(servedDocument(paths, 'whole')?.digest, 'of files');
  t.deepEqual((await readdir(paths.documents.all)).toSorted(), [basename(paths.documents.current), 'generation-7']);
  // Nothing is left to be removed.
  await t.notThrowsAsync(() => removeOtherDocument(paths, 'whole'));
});

/** A document of nothing but its digest. `writing`: what happens before it is written. */
function madeOfItsDigest(digest: string, writing = async () => {}): MergedDocument {
  const write = async ({ merged, past, pieces }: DocumentFolders) => {
    await writing();
    for (const one of [...past, merged]) await rm(one, { recursive: true, force: true });
    if (pieces !== null) return await writeFile(merged, listsText(digest, []));
    await mkdir(merged);
    await writeFile(join(merged, 'digest'), digest);
  };
  return { digest, operations: 0, sources: [], write };
}
