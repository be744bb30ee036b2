import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Agent } from 'undici';
import { createDocumentStore } from '../../../proxy-daemon/document/document-store.ts';
import { isObject, type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import { repairAndNormalise } from '../../../proxy-daemon/document/repair.ts';
import { systemClock } from '../../../registrar/system-clock.ts';
import { type GeneratedRequest, generateRequests } from '../../helpers/document-client.ts';
import { eventually } from '../../helpers/eventually.ts';
import { testGateway } from '../../helpers/gateway.ts';
import { assertValidOpenApi } from '../../helpers/independent-validator.ts';
import { assertSameMeaning } from '../../helpers/openapi-meaning.ts';
import { statedOperations } from '../../helpers/stated-operations.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { exampleDocuments, publishedDocuments, type WildDocument } from '../../helpers/wild-documents.ts';

/** Requests sent for each service; with MCP_ALL=1 all of them. Which operations there are is compared in full either way. */
const sample = process.env.MCP_ALL === '1' ? Number.POSITIVE_INFINITY : 25;

interface Backend {
  service: string;
  document: JsonObject;
  wild: WildDocument;
  port: number;
}

/** Serves the document, and answers every other request with what it was. */
async function startBackend(t: ExecutionContext, wild: WildDocument, service: string): Promise<Backend> {
  const bytes = await readFile(wild.file);
  const server = createServer((request, response) => {
    if (request.url === '/its/document') return void response.end(bytes);
    request.resume().on('end', () => {
      const { method, url, headers } = request;
      response.writeHead(200, {
        'x-seen': JSON.stringify({ service, method, url, headers }).replaceAll(/[^ -~]/g, '?'),
      });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const document = JSON.parse(bytes.toString()) as JsonObject;
  return { service, document, wild, port: (server.address() as AddressInfo).port };
}

test('documents from the wild become one valid document, by which alone every operation of theirs can be called', async (t) => {
  t.timeout(400_000);
  const all = [...publishedDocuments(), ...exampleDocuments()];
  t.true(all.length >= 50, `${all.length} documents`);
  const backends = await Promise.all(all.map((wild, index) => startBackend(t, wild, `w${index}`)));
  const versions = backends.map(({ document }) => String(document.swagger ?? document.openapi).slice(0, 3));
  t.deepEqual([...new Set(versions)].sort(), ['2.0', '3.0', '3.1']);

  const gateway = await testGateway(t);
  const documents = createDocumentStore({
    clock: systemClock,
    stateDir: await tempDir(t),
    limits: { maxBytes: 20_000_000, timeoutMs: 60_000 },
  });
  t.teardown(() => documents.close());
  for (const { service, port } of backends) {
    const record = {
      schema: 1,
      service,
      version: '1',
      machine: service,
      address: '127.0.0.1',
      port,
      state: 'up',
    } as const;
    const path = `/services/${service}/1/${service}`;
    await gateway.register({ path, record: { ...record, document: '/its/document', at: 0 }, mzxid: 0 });
  }
  gateway.start({ documents });
  const served = await eventually(
    'all documents are merged and served',
    async () => {
      const { sources, digest } = documents.current();
      if (sources.length < all.length || sources.some(({ problem }) => problem === 'not read yet')) return null;
      return (await gateway.status()).document.digest === digest ? digest : null;
    },
    300_000,
  );
  t.log(`${all.length} documents merged after ${Math.round(performance.now() / 1000)} s`);
  t.deepEqual(
    documents.current().sources.filter(({ state }) => state !== 'fresh'),
    [],
  );
  const merged = await eventually('the document is in place', async () => {
    const answer = await gateway.ask('/openapi.json');
    t.is(answer.status, 200, answer.body.slice(0, 200));
    const body = JSON.parse(answer.body) as JsonObject;
    const sources = body['x-mcp-source'];
    return Array.isArray(sources) && sources.length === all.length && documents.current().digest === served && body;
  });

  await assertValidOpenApi(t, merged);
  const requests = generateRequests(merged);
  const byService = requestsByService(requests);
  const missing = backends.flatMap(({ service, document, wild }) => {
    const described = new Set(
      (byService.get(service) ?? []).map(({ method, template }) => `${method} ${template.slice(service.length + 1)}`),
    );
    return statedOperations(document)
      .filter(({ method, path }) => method !== 'TRACE' && !described.delete(`${method} ${path}`))
      .map(({ method, path }) => `${wild.name}: ${method} ${path}`);
  });
  t.deepEqual(missing, []);
  const leftOut = merged['x-mcp-left-out'] as JsonObject[];
  t.deepEqual([...new Set(leftOut.map(({ reason }) => reason))], ['the gateway passes on no TRACE']);
  const stated = backends.flatMap(({ document }) => statedOperations(document));
  t.is(requests.length + leftOut.length, stated.length, 'and no others');

  const sent = await callThroughGateway(gateway.url, backends, byService);
  t.deepEqual(sent.wrong, []);
  t.log(`${requests.length} operations, ${sent.count} called, ${JSON.stringify(merged).length} bytes`);
});

test('every operation of a document from the wild means after merging what it meant before', async (t) => {
  let compared = 0;
  for (const { name, file } of exampleDocuments()) {
    const original = JSON.parse(await readFile(file, 'utf8')) as JsonObject;
    const { document } = await repairAndNormalise(original);
    const { serviceFragment } = await import('../../../proxy-daemon/document/service-fragment.ts');
    const fragment = serviceFragment('w', '/w', [{ version: '1', document }], []);
    const merged = { paths: fragment.paths, components: fragment.components } as unknown as JsonObject;
    for (const { method, path } of statedOperations(document)) {
      const from = operationAt(document, path, method);
      const to = operationAt(merged, `/w${path}`, method) ?? null;
      if (from === undefined) continue;
      const inherited = from.security ?? document.security;
      assertSameMeaning(
        { document, original: (place) => place },
        { document: merged, original: (place) => ({ ...place, path: place.path.slice(2) }) },
        inherited === undefined ? from : { ...from, security: inherited },
        to,
        `${name} ${method} ${path}`,
      );
      compared++;
    }
  }
  t.true(compared > 200, `${compared} operations`);
});

function operationAt(document: JsonObject, path: string, method: string): JsonObject | undefined {
  const item = objectAt(document, 'paths')[path];
  const operation = isObject(item) ? item[method.toLowerCase()] : undefined;
  return isObject(operation) ? operation : undefined;
}

function requestsByService(requests: readonly GeneratedRequest[]): Map<string, GeneratedRequest[]> {
  const grouped = new Map<string, GeneratedRequest[]>();
  for (const request of requests) {
    const service = request.template.split('/')[1] ?? '';
    grouped.set(service, [...(grouped.get(service) ?? []), request]);
  }
  return grouped;
}

interface Seen {
  service: string;
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
}

/** Sends a request for each operation, at most `sample` a service, and tells what reached a service otherwise than its document says. */
async function callThroughGateway(
  url: string,
  backends: readonly Backend[],
  byService: ReadonlyMap<string, GeneratedRequest[]>,
): Promise<{ count: number; wrong: string[] }> {
  const agent = new Agent({ connections: 16, pipelining: 1 });
  const wrong: string[] = [];
  let count = 0;
  for (const { service, document, wild } of backends) {
    const stated = new Map(
      statedOperations(document).map((operation) => [`${operation.method} ${operation.path}`, operation]),
    );
    const requests = byService.get(service) ?? [];
    const step = Math.max(1, Math.ceil(requests.length / sample));
    await Promise.all(
      requests
        .filter((_, index) => index % step === 0)
        .map(async (request) => {
          const key = `${request.method} ${request.template.slice(service.length + 1)}`;
          const expected = stated.get(key);
          const { statusCode, headers, body } = await agent.request({
            origin: url,
            path: request.url,
            method: request.method as 'GET',
            headers: request.headers,
            body: request.body ?? null,
          });
          await body.dump();
          count += 1;
          if (statusCode !== 200 || headers['x-seen'] === undefined)
            wrong.push(`${wild.name} ${key}: ${statusCode} ${request.url}`);
          else {
            const seen = JSON.parse(String(headers['x-seen'])) as Seen;
            const problem = expected && mismatch(request, seen, service, expected);
            if (problem) wrong.push(`${wild.name} ${key}: ${problem}`);
          }
        }),
    );
  }
  await agent.close();
  return { count, wrong };
}

function mismatch(
  request: GeneratedRequest,
  seen: Seen,
  service: string,
  { method, path, query, headers }: ReturnType<typeof statedOperations>[number],
): string | undefined {
  if (seen.service !== service || seen.method !== method) return `${seen.method} reached ${seen.service}`;
  const filled = path.replace(/\{([^{}]+)\}/g, (_, name: string) => request.pathValues[name] ?? '?');
  const asked = new URL(seen.url, 'http://service');
  if (seen.url.split('?')[0] !== filled.split(/[?#]/)[0]) return `${seen.url} instead of ${filled}`;
  const lacks = [
    ...query.filter((name) => !asked.searchParams.has(name)),
    ...headers.filter((name) => seen.headers[name] === undefined),
  ];
  if (lacks.length > 0) return `without ${lacks.join(', ')}`;
  const type = request.headers['content-type'];
  return type !== undefined && seen.headers['content-type'] !== type
    ? `content-type ${seen.headers['content-type']}`
    : undefined;
}
