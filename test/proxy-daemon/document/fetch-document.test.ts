import type { RequestListener } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { fetchDocument } from '../../../proxy-daemon/document/fetch-document.ts';
import { isMcpError } from '../../../specs/errors.ts';
import { startDocumentServer } from '../../helpers/document-server.ts';

const limits = { timeoutMs: 5_000, maxBytes: 100_000 };
const body = JSON.stringify({ openapi: '3.1.0' });

async function fetchFrom(t: ExecutionContext, listener: RequestListener, own = limits, path = '/openapi.json') {
  const server = await startDocumentServer(listener);
  t.teardown(() => server.close());
  return fetchDocument({ address: server.address, port: server.port, path }, own);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return isMcpError(error) ? error.code : String(error);
  }
}

test('a document is read plain and in every encoding that is asked for', async (t) => {
  const encodings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, identity: Buffer.from };
  for (const [encoding, encode] of Object.entries(encodings)) {
    const { bytes, digest } = await fetchFrom(t, (_, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(encode(body));
    });
    t.is(Buffer.from(bytes).toString(), body, encoding);
    t.regex(digest, /^[0-9a-f]{64}$/);
  }
});

test('a redirect is refused, and its target never asked', async (t) => {
  const secret = await startDocumentServer({ secret: true });
  t.teardown(() => secret.close());
  const code = await codeOf(
    fetchFrom(t, (_, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${secret.port}/` }).end();
    }),
  );
  t.is(code, 'DOCUMENT_REDIRECT');
  t.deepEqual(secret.requests, []);
});

test('only an IP address, a port and a path without tricks are asked', async (t) => {
  const good = { address: '127.0.0.1', port: 80, path: '/openapi.json' };
  for (const bad of [
    { address: 'localhost' },
    { address: '127.0.0.1@evil' },
    { port: 0 },
    { port: 70_000 },
    { port: 80.5 },
    { path: 'openapi.json' },
    { path: '//evil\r\nhost: x' },
    { path: '/a b' },
    { path: '/a#b' },
  ]) {
    t.is(await codeOf(fetchDocument({ ...good, ...bad }, limits)), 'DOCUMENT_BAD_TARGET', JSON.stringify(bad));
  }
});

test('a path that looks like another host stays a path at this one', async (t) => {
  const server = await startDocumentServer({ openapi: '3.1.0' });
  t.teardown(() => server.close());
  await fetchDocument({ address: server.address, port: server.port, path: '//example.com/openapi.json' }, limits);
  t.deepEqual(server.requests, ['//example.com/openapi.json']);
});

test('what is too large is refused while it is read, also when it is packed small', async (t) => {
  let sent = 0;
  const endless: RequestListener = (_, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  t.is(await codeOf(fetchFrom(t, endless)), 'DOCUMENT_TOO_LARGE');
  t.true(sent < 50_000_000);
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  const memory = process.memoryUsage().rss;
  const code = await codeOf(
    fetchFrom(t, (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    }),
  );
  t.is(code, 'DOCUMENT_TOO_LARGE');
  t.true(process.memoryUsage().rss - memory < 100_000_000);
});

test('what hangs or drips ends at the deadline', async (t) => {
  const short = { ...limits, timeoutMs: 300 };
  t.is(await codeOf(fetchFrom(t, () => {}, short)), 'DOCUMENT_TIMEOUT');
  const drip: RequestListener = (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  };
  const started = performance.now();
  t.is(await codeOf(fetchFrom(t, drip, short)), 'DOCUMENT_TIMEOUT');
  t.true(performance.now() - started < 3_000);
});

test('other answers are told apart', async (t) => {
  const answer = (status: number, headers: Record<string, string> = {}, text: string | Buffer = body) =>
    codeOf(fetchFrom(t, (_, response) => void response.writeHead(status, headers).end(text)));
  t.is(await answer(404), 'DOCUMENT_STATUS');
  t.is(await answer(500), 'DOCUMENT_STATUS');
  t.is(await answer(204, {}, ''), 'DOCUMENT_STATUS');
  t.is(await answer(200, { 'content-encoding': 'zstd-of-mine' }), 'DOCUMENT_ENCODING');
  t.is(await answer(200, { 'content-encoding': 'gzip' }, 'no gzip'), 'DOCUMENT_ENCODING');
  t.is(
    await answer(200, { 'content-encoding': 'gzip' }, gzipSync(body.repeat(100)).subarray(0, 40)),
    'DOCUMENT_ENCODING',
  );
  const closed = await startDocumentServer({});
  await closed.close();
  t.is(
    await codeOf(fetchDocument({ address: '127.0.0.1', port: closed.port, path: '/' }, limits)),
    'DOCUMENT_UNREACHABLE',
  );
});

test('a caller can give up', async (t) => {
  const server = await startDocumentServer(() => {});
  t.teardown(() => server.close());
  const reason = new Error('enough');
  const aborter = new AbortController();
  const reading = fetchDocument({ address: server.address, port: server.port, path: '/' }, limits, aborter.signal);
  aborter.abort(reason);
  t.is(await t.throwsAsync(reading), reason);
});
