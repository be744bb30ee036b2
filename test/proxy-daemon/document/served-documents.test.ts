import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { request } from 'undici';
import { parse } from 'yaml';
import { type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import { validateDocument } from '../../../proxy-daemon/document/normalise.ts';
import { smallDocument, startDocumentServer } from '../../helpers/document-server.ts';
import { eventually } from '../../helpers/eventually.ts';
import { startExampleGateway } from '../../helpers/example-gateway.ts';

async function get(url: string, headers: Record<string, string> = {}) {
  const { statusCode, headers: answered, body } = await request(url, { headers, reset: true });
  return { status: statusCode, headers: answered, bytes: Buffer.from(await body.arrayBuffer()) };
}

test('documents are served packed and plain with strong ETags, as a whole and for each service', async (t) => {
  const changing = await startDocumentServer(smallDocument(['/a']));
  t.teardown(() => changing.close());
  const { gateway, document } = await startExampleGateway(t, { changing }, 500);
  const gzip = { 'accept-encoding': 'gzip' };

  for (const path of ['/openapi.json', '/openapi.yaml', '/docs/dns/openapi.json', '/docs/dns/openapi.yaml']) {
    const plain = await get(gateway.url + path);
    const packed = await get(gateway.url + path, gzip);
    t.is(plain.headers['content-encoding'], undefined, path);
    t.is(packed.headers['content-encoding'], 'gzip', path);
    t.deepEqual(gunzipSync(packed.bytes), plain.bytes, path);
    t.true(packed.bytes.length * 2 < plain.bytes.length, `${path}: ${packed.bytes.length} of ${plain.bytes.length}`);
    t.is(plain.headers.vary, 'Accept-Encoding');
    t.is(
      plain.headers['content-type'],
      `application/${path.slice(-4)}${path.endsWith('yaml') ? '; charset=utf-8' : ''}`,
    );
    for (const [{ headers }, accept] of [
      [plain, {}],
      [packed, gzip],
    ] as const) {
      const etag = String(headers.etag);
      t.regex(etag, /^"[0-9a-f-]+"$/, 'strong');
      const again = await get(gateway.url + path, { ...accept, 'if-none-match': etag });
      t.deepEqual([again.status, again.bytes.length, again.headers.etag], [304, 0, etag], path);
    }
    t.not(plain.headers.etag, packed.headers.etag, 'two forms are two entities');
  }

  const own = JSON.parse((await gateway.ask('/docs/dns/openapi.json')).body) as JsonObject;
  validateDocument(own);
  const all = Object.entries(objectAt(document, 'paths')).filter(([path]) => path.startsWith('/dns/'));
  t.deepEqual(own.paths, Object.fromEntries(all));
  t.like(own['x-mcp-source'], [{ service: 'dns', version: '1.2.0', stale: false }]);
  t.deepEqual(parse((await gateway.ask('/docs/dns/openapi.yaml')).body), own);
  t.regex((await gateway.ask('/docs/dns/')).body, /docs\.js/);
  t.is((await gateway.ask('/docs/dns')).headers.location, '/docs/dns/');
  for (const path of ['/docs/nobody/', '/docs/nobody/openapi.json']) {
    const { status, body } = await gateway.ask(path);
    t.deepEqual([status, JSON.parse(body).error.code], [404, 'NO_SUCH_ROUTE'], path);
  }
  const { services } = JSON.parse((await gateway.ask('/docs/services.json')).body);
  t.deepEqual(
    services.map(({ service, versions }: { service: string; versions: unknown[] }) => [service, versions.length]),
    [
      ['certificates', 2],
      ['changing', 1],
      ['dns', 1],
      ['domains', 1],
    ],
  );

  // One service's document changes: its ETags and those of the whole change, the others' stay.
  const etags = async () =>
    Promise.all(
      ['/openapi.json', '/docs/changing/openapi.json', '/docs/dns/openapi.json'].map(
        async (path) => (await get(gateway.url + path)).headers.etag,
      ),
    );
  const before = await etags();
  // As long as before: what tells them apart is not the size.
  changing.serve(smallDocument(['/b']));
  await eventually('the change is served', async () =>
    (await gateway.ask('/docs/changing/openapi.json')).body.includes('/changing/b'),
  );
  const changed = await eventually('the merged document has it', async () => {
    const body = JSON.parse((await gateway.ask('/openapi.json')).body) as JsonObject;
    return Object.hasOwn(objectAt(body, 'paths'), '/changing/b') ? body : null;
  });
  const after = await etags();
  t.not(after[0], before[0]);
  t.not(after[1], before[1]);
  t.is(after[2], before[2]);
  t.true(Number(changed['x-mcp-generation']) > Number(document['x-mcp-generation']));
});
