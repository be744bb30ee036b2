/** What the gateway asks of callers, in the merged document, beside what each operation says itself. */
import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { withGatewaySecurity } from '../../../proxy-daemon/document/gateway-security.ts';
import { operationsOf } from '../../../proxy-daemon/document/grammar.ts';
import { isObject, type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import type { Fragment } from '../../../proxy-daemon/document/namespace.ts';
import { rewriteOpenApi3, validateDocument } from '../../../proxy-daemon/document/normalise.ts';
import { serviceFragment } from '../../../proxy-daemon/document/service-fragment.ts';
import type { DocumentDoor } from '../../../proxy-daemon/document-source.ts';
import { documentInfo } from '../../../proxy-daemon/publication-parts.ts';
import { smallDocument } from '../../helpers/document-server.ts';
import { assertValidOpenApi } from '../../helpers/independent-validator.ts';
import { openApiDocument } from '../../helpers/openapi-arbitrary.ts';
import { sampleEnvironment, sampleService, sampleVersion } from '../../helpers/sample-world.ts';

const nothing: DocumentDoor = {
  keyHeader: null,
  users: false,
  certificate: false,
  bodies: false,
  rate: false,
  operations: [],
};

const at = { service: 'dns', route: '/dns' };

function fragmentOf(document: JsonObject): Fragment {
  return serviceFragment('dns', '/dns', [{ version: '1', document: rewriteOpenApi3(document) }], []);
}

function wholeOf({ paths, components, webhooks, tags }: Fragment): JsonObject {
  return { openapi: '3.1.0', info: { title: 'x', version: '1' }, paths, components, webhooks, tags };
}

test('what a service declares of its door is told of each operation, beside its own logins and answers', async (t) => {
  const document = smallDocument(['/open', '/own', '/either'], {
    security: [{ token: [] }],
    components: {
      schemas: { Error: {} },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' }, key: { type: 'apiKey', in: 'query', name: 'k' } },
    },
  });
  const paths = objectAt(document, 'paths');
  const operation = (path: string) => objectAt(objectAt(paths, path), 'get');
  Object.assign(operation('/open'), { security: [] });
  Object.assign(operation('/either'), { security: [{ key: [] }, { token: [] }], requestBody: { content: {} } });
  Object.assign(objectAt(operation('/own'), 'responses'), { 401: { description: 'its own word' } });
  const door = { ...nothing, keyHeader: 'X-Key', certificate: true, bodies: true, rate: true };
  const fragment = withGatewaySecurity(fragmentOf(document), at, door);
  const told = (path: string) => objectAt(fragment.paths[`/dns${path}`] ?? {}, 'get');
  const gate = { 'Dns.gateway.key': [], 'Dns.gateway.certificate': [] };
  t.deepEqual(told('/open').security, [gate]);
  t.deepEqual(told('/own').security, [{ Dns_token: [], ...gate }]);
  t.deepEqual(told('/either').security, [
    { Dns_key: [], ...gate },
    { Dns_token: [], ...gate },
  ]);
  t.deepEqual(Object.keys(objectAt(told('/open'), 'responses')), ['200', '401', '403', '429', 'default']);
  t.deepEqual(Object.keys(objectAt(told('/either'), 'responses')), ['200', '401', '403', '413', '429', 'default']);
  t.deepEqual(objectAt(told('/own'), 'responses')['401'], { description: 'its own word' });
  t.like(fragment.components.securitySchemes, {
    Dns_token: { type: 'http', scheme: 'bearer' },
    'Dns.gateway.key': { type: 'apiKey', in: 'header', name: 'X-Key' },
    'Dns.gateway.certificate': { type: 'mutualTLS' },
  });
  await assertValidOpenApi(t, wholeOf(fragment));

  const users = withGatewaySecurity(fragmentOf(document), at, { ...nothing, users: true });
  t.like(users.components.securitySchemes?.['Dns.gateway.basic'], { type: 'http', scheme: 'basic' });
  const limited = withGatewaySecurity(fragmentOf(document), at, { ...nothing, rate: true });
  t.deepEqual(
    objectAt(limited.paths['/dns/own'] ?? {}, 'get').security,
    [{ Dns_token: [] }],
    'nobody is asked who it is',
  );
});

test('an operation with a door of its own is told what that one asks, wherever its path is written out or has parameters', async (t) => {
  const rules = { keyHeader: null, users: false, certificate: false, bodies: false, rate: false };
  const own = { access: true };
  const door: DocumentDoor = {
    ...{ ...rules, keyHeader: 'X-Key' },
    operations: [
      { ...rules, method: 'GET', path: '/health', own },
      { ...rules, method: 'GET', path: '/zones/{zone}', own: { access: false }, keyHeader: 'X-Key', rate: true },
      { ...rules, method: 'ANY', path: '/admin/**', own, keyHeader: 'X-Admin' },
    ],
  };
  const fragment = fragmentOf(smallDocument(['/health', '/zones/{id}', '/zones', '/admin/users/{id}']));
  const { paths, components } = withGatewaySecurity(fragment, at, door);
  const told = (path: string) => objectAt(paths[`/dns${path}`] ?? {}, 'get');
  const asks = Object.keys(paths).map((path) => [path, JSON.stringify(told(path.slice(4)).security)]);
  t.deepEqual(Object.fromEntries(asks), {
    '/dns/health': undefined,
    '/dns/zones/{id}': '[{"Dns.gateway.key":[]}]',
    '/dns/zones': '[{"Dns.gateway.key":[]}]',
    '/dns/admin/users/{id}': '[{"Dns.gateway.key.X-Admin":[]}]',
  });
  const answers = (path: string) => Object.keys(objectAt(told(path), 'responses'));
  t.deepEqual(answers('/zones/{id}'), ['200', '401', '429', 'default']);
  t.deepEqual(answers('/zones'), ['200', '401', 'default']);
  t.deepEqual(answers('/health'), ['200', 'default']);
  t.like(components.securitySchemes?.['Dns.gateway.key.X-Admin'], { name: 'X-Admin' });
  await assertValidOpenApi(t, wholeOf(withGatewaySecurity(fragment, at, door)));
});

test('whatever a document holds, nothing of it is lost or means something else, and the whole stays valid', async (t) => {
  const door = fc.record({
    keyHeader: fc.constantFrom(null, 'X-Key'),
    users: fc.boolean(),
    certificate: fc.boolean(),
    bodies: fc.boolean(),
    rate: fc.boolean(),
    operations: fc.constant<DocumentDoor['operations']>([]),
  });
  await fc.assert(
    fc.asyncProperty(openApiDocument, door, async (document, asked) => {
      const before = fragmentOf(document);
      const after = withGatewaySecurity(before, at, asked);
      for (const [section, named] of Object.entries(before.components)) {
        assert.deepEqual(
          Object.fromEntries(
            Object.entries(objectAt(after.components as JsonObject, section)).filter(([name]) => name.includes('_')),
          ),
          named,
        );
      }
      for (const [path, item] of Object.entries(before.paths)) {
        for (const [method, operation] of operationsOf(item)) {
          const now = objectAt(after.paths[path] ?? {}, method);
          assert.deepEqual({ ...now, security: 0, responses: 0 }, { ...operation, security: 0, responses: 0 });
          assert.deepEqual({ ...objectAt(now, 'responses'), ...objectAt(operation, 'responses') }, now.responses ?? {});
          const own = Array.isArray(operation.security) && operation.security.length > 0 ? operation.security : [{}];
          const asks = asked.keyHeader !== null || asked.users || asked.certificate;
          if (asks)
            assert.deepEqual(
              (Array.isArray(now.security) ? now.security : []).map((need) => withoutGate(need)),
              own,
            );
          else assert.deepEqual(now.security, operation.security);
        }
      }
      await validateDocument(wholeOf(after));
    }),
    { numRuns: 40 },
  );
  t.pass();
});

test('only services that declare something of the door have one in the document', (t) => {
  const sha256 = 'a'.repeat(64);
  const services = [
    sampleService('open', [sampleVersion('1', 1)], { access: { clientCertificate: 'optional' } }),
    sampleService('keys', [sampleVersion('1', 1)], {
      access: { apiKeys: { header: 'X-Key', clients: [{ name: 'shop', sha256 }] } },
      limits: { bodyBytes: 10 },
      operations: [
        { method: 'ANY', path: '/**', limits: { rate: { requests: 1, per: 's', burst: 0 } } },
        { method: 'GET', path: '/open', open: true },
      ],
    }),
    sampleService('none', [sampleVersion('1', 1)]),
  ];
  const { doors } = documentInfo(sampleEnvironment(services));
  const { operations, ...rules } = nothing;
  const keys = { ...rules, keyHeader: 'X-Key', bodies: true };
  t.deepEqual(doors, {
    open: nothing,
    keys: {
      ...keys,
      operations: [
        { ...rules, method: 'GET', path: '/open', own: { access: true }, bodies: true },
        { ...keys, method: 'ANY', path: '/**', own: { access: false }, rate: true },
      ],
    },
  });
  t.deepEqual(operations, []);
  t.false(JSON.stringify(doors).includes(sha256));
  t.is(documentInfo(sampleEnvironment([])).doors, undefined);
});

function withoutGate(need: unknown): unknown {
  if (!isObject(need)) return need;
  return Object.fromEntries(Object.entries(need).filter(([name]) => !name.startsWith('Dns.gateway.')));
}
