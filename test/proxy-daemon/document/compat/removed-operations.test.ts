import test from 'ava';
import { compareDocuments } from '../../../../proxy-daemon/document/compat/compare-documents.ts';
import { removedOperations } from '../../../../proxy-daemon/document/compat/removed-operations.ts';
import type { JsonObject } from '../../../../proxy-daemon/document/json.ts';

test('operations that are gone are named as instances see them: below their own server, without the route', (t) => {
  const operation = { responses: { 200: { description: 'fine' } } };
  const document = (paths: JsonObject): JsonObject => ({
    openapi: '3.1.0',
    info: { title: 't', version: '1' },
    servers: [{ url: 'https://example.com/dns/v1' }],
    paths,
  });
  const live = document({
    '/zones/{zone}': { get: operation, delete: operation },
    '/ex ports': { servers: [{ url: '/raw' }], post: operation },
  });
  const next = document({ '/zones/{zone}': { get: operation } });
  const findings = compareDocuments(live, next, { route: '/dns' });
  t.deepEqual(removedOperations(findings, live, '/dns').sort(), ['DELETE /v1/zones/{zone}', 'POST /raw/ex%20ports']);
});
