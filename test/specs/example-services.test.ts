/** The example's services as they run: each in a process of its own, over HTTP. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SwaggerParser from '@apidevtools/swagger-parser';
import test, { type ExecutionContext } from 'ava';
import type { OpenAPI } from 'openapi-types';
import { servicesDirectory, startDemoService } from '../helpers/demo-service.ts';

interface Demo {
  directory: string;
  service: string;
  version: string;
  document: string;
  base: string;
  /** What is created, where, and at which path it is found again. */
  collection: string;
  item: object;
  idOf: (created: Record<string, unknown>) => string;
}

const certificates = {
  service: 'certificates',
  document: '/openapi.json',
  base: '',
  collection: '/issued',
  item: { name: 'www.example.net' },
  idOf: (created: Record<string, unknown>) => String(created.id),
};
const demos: Demo[] = [
  {
    directory: 'domains',
    service: 'domains',
    version: '1.0.0',
    document: '/swagger.json',
    base: '/v1',
    collection: '/v1/names',
    item: { name: 'example.net', contact: { kind: 'Person', email: 'a@example.net', person: 'A' } },
    idOf: ({ name }) => String(name),
  },
  {
    directory: 'dns',
    service: 'dns',
    version: '1.2.0',
    document: '/openapi.json',
    base: '',
    collection: '/zones/example.org/records',
    item: { type: 'A', name: 'www', address: '192.0.2.7' },
    idOf: ({ id }) => String(id),
  },
  { directory: 'certificates-1.0.0', version: '1.0.0', ...certificates },
  { directory: 'certificates-1.1.0', version: '1.1.0', ...certificates },
  {
    directory: 'mailboxes',
    service: 'mailboxes',
    version: '1.0.0',
    document: '/openapi.json',
    base: '',
    collection: '/boxes',
    item: { address: 'grace@example.org' },
    idOf: ({ address }) => String(address),
  },
];

async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mcp-demo-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What an answer or a file holds; tests look at its members, so a wrong shape shows as a failed assertion. */
interface Json extends Record<string, unknown> {
  info: { version: string };
  paths: Record<string, object>;
  components: { schemas: { Certificate: { properties: object } } };
}
const json = async (answer: Response) => (await answer.json()) as Json;

const send = (method: string, url: string, body?: unknown, headers: Record<string, string> = {}) =>
  fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

for (const demo of demos) {
  test(`${demo.directory} says who answers and serves a valid document whose every operation is there`, async (t) => {
    const { url } = await startDemoService(t, demo.directory, { MCP_MACHINE: 'm-1', MCP_VERSION: demo.version });
    const health = await fetch(`${url}/healthz`);
    const about = { service: demo.service, version: demo.version, machine: 'm-1' };
    t.deepEqual<unknown, unknown>(await health.json(), { status: 'ok', ...about });
    t.is(health.headers.get('x-served-by'), 'm-1');
    t.is(health.headers.get('x-version'), demo.version);
    t.is(health.headers.get('keep-alive'), 'timeout=75');

    const document = await json(await fetch(url + demo.document));
    t.is(document.info.version, demo.version);
    await SwaggerParser.validate(structuredClone(document) as object as OpenAPI.Document);
    for (const [path, item] of Object.entries(document.paths)) {
      for (const method of Object.keys(item).filter((key) => key !== 'parameters')) {
        const answer = await send(
          method.toUpperCase(),
          url + demo.base + path.replace(/\{\w+\}/g, 'none'),
          method === 'get' ? undefined : {},
        );
        const isExpected = path.includes('{')
          ? [400, 401, 404].includes(answer.status)
          : [200, 400].includes(answer.status);
        t.true(
          isExpected && !(await answer.text()).includes('there is nothing at'),
          `${method} ${path}: ${answer.status}`,
        );
      }
    }
  });

  test(`${demo.directory} keeps what it is given, also over a restart where it has a directory`, async (t) => {
    const env = { MCP_DATA_DIR: await temporary(t) };
    const first = await startDemoService(t, demo.directory, env);
    const seeded = await (await fetch(first.url + demo.collection)).json();
    const created = await send('POST', first.url + demo.collection, demo.item);
    t.is(created.status, 201);
    const item = await json(created);
    t.like(item, demo.item);
    const path = `${demo.collection}/${encodeURIComponent(demo.idOf(item))}`;
    t.deepEqual(await (await fetch(first.url + path)).json(), item);
    t.is(await first.end(), 0);

    const second = await startDemoService(t, demo.directory, env);
    t.deepEqual(await (await fetch(second.url + path)).json(), item);
    const fresh = await startDemoService(t, demo.directory);
    t.deepEqual(
      await (await fetch(fresh.url + demo.collection)).json(),
      seeded,
      'all instances start with the same data',
    );
    t.is((await fetch(fresh.url + path)).status, 404);
  });

  test(`${demo.directory} finishes a request in flight at SIGTERM, then exits`, async (t) => {
    const service = await startDemoService(t, demo.directory);
    const body = JSON.stringify(demo.item);
    const post: ClientRequest = request(service.url + demo.collection, {
      method: 'POST',
      headers: { 'content-length': String(body.length), expect: '100-continue' },
    });
    const answered = once(post, 'response', { signal: AbortSignal.timeout(20_000) });
    post.flushHeaders();
    await once(post, 'continue');
    const ended = service.end();
    // It has stopped listening once a new connection is refused.
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline && (await isListening(service.url))) await new Promise(setImmediate);
    post.end(body);
    const [response] = (await answered) as [IncomingMessage];
    t.is(response.statusCode, 201);
    t.is(response.headers.connection, 'close');
    response.resume();
    t.is(await ended, 0);
  });
}

async function isListening(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`, { headers: { connection: 'close' } }).then(
    () => true,
    () => false,
  );
}

test('bad requests are refused in words, and the service goes on', async (t) => {
  const { url } = await startDemoService(t, 'dns');
  const statusOf = async (answer: Promise<Response>) => (await answer).status;
  t.is(await statusOf(fetch(`${url}/zones`, { method: 'POST', body: '{' })), 400);
  t.is(await statusOf(fetch(`${url}/zones`, { method: 'POST', body: '[]' })), 400);
  t.is(await statusOf(send('POST', `${url}/zones`, { name: '__proto__' })), 400);
  t.is(await statusOf(send('POST', `${url}/zones`, { name: 'example.com' })), 409);
  t.is(
    await statusOf(send('POST', `${url}/zones/example.com/records`, { type: 'A', name: 'x', address: '1.2.3' })),
    400,
  );
  t.is(await statusOf(fetch(`${url}/zones`, { method: 'POST', body: 'x'.repeat(70_000) })), 413);
  t.is(await statusOf(fetch(`${url}/zones/constructor`)), 404);
  t.is(await statusOf(fetch(`${url}/nothing`)), 404);
  t.is(await statusOf(fetch(`${url}/zones/%zz`)), 400);
  t.is(await statusOf(fetch(`${url}/zones`, { method: 'PATCH' })), 405);
  t.deepEqual(await (await fetch(`${url}/zones/none`)).json(), { error: 'there is no zone none', status: 404 });
  t.is(await statusOf(fetch(`${url}/healthz`)), 200);
});

test('deleting needs the key', async (t) => {
  const { url } = await startDemoService(t, 'dns');
  t.is((await send('DELETE', `${url}/zones/example.com`)).status, 401);
  t.is((await send('DELETE', `${url}/zones/example.com`, undefined, { 'x-dns-key': 'demo' })).status, 204);
  t.is((await fetch(`${url}/zones/example.com`)).status, 404);
});

test('dns takes its default TTL from its configuration, and reads it again at SIGHUP', async (t) => {
  const file = join(await temporary(t), 'config.json');
  await writeFile(file, '{ "default-ttl": 300 }');
  const dns = await startDemoService(t, 'dns', { MCP_CONFIG_FILE: file });
  const create = async () =>
    (await send('POST', `${dns.url}/zones/example.com/records`, { type: 'TXT', name: '@', text: 't' })).json();
  t.like(await create(), { ttl: 300 });
  await writeFile(file, '{ "default-ttl": 60 }');
  dns.process.kill('SIGHUP');
  await dns.said('default-ttl 60');
  t.like(await create(), { ttl: 60 });
});

test('certificates reads its configuration with every order', async (t) => {
  const file = join(await temporary(t), 'config.json');
  const { url } = await startDemoService(t, 'certificates-1.0.0', { MCP_CONFIG_FILE: file });
  const issue = async () => (await send('POST', `${url}/issued`, { name: 'www.example.net' })).json();
  t.like(await issue(), { issuer: 'Example CA' });
  await writeFile(file, '{ "issuer": "Other CA" }');
  t.like(await issue(), { issuer: 'Other CA' });
});

test('certificates 1.1.0 adds an operation and a field, and takes nothing away', async (t) => {
  const read = async (version: string): Promise<Json> =>
    JSON.parse(await readFile(new URL(`certificates-${version}/openapi.json`, servicesDirectory), 'utf8'));
  const [old, now] = [await read('1.0.0'), await read('1.1.0')];
  const added = Object.keys(now.paths).filter((path) => !(path in old.paths));
  t.deepEqual(added, ['/issued/{id}/renewal']);
  t.deepEqual(
    Object.keys(old.paths).filter((path) => !(path in now.paths)),
    [],
  );
  const fields = (document: Json) => Object.keys(document.components.schemas.Certificate.properties);
  t.deepEqual(fields(now), [...fields(old), 'fingerprint']);
  const { url } = await startDemoService(t, 'certificates-1.1.0');
  t.regex(String((await json(await fetch(`${url}/issued/demo-1`))).fingerprint), /^[0-9a-f]{64}$/);
  t.is((await send('POST', `${url}/issued/demo-1/renewal`)).status, 200);
});
