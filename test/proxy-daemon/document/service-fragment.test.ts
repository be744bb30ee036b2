import test from 'ava';
import fc from 'fast-check';
import { differences } from '../../../proxy-daemon/document/compare-operations.ts';
import { type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import { rewriteOpenApi3 } from '../../../proxy-daemon/document/normalise.ts';
import { compareVersions } from '../../../proxy-daemon/document/plan-services.ts';
import { servicePrefix, versionPrefix } from '../../../proxy-daemon/document/prefix.ts';
import { serviceFragment } from '../../../proxy-daemon/document/service-fragment.ts';
import { smallDocument } from '../../helpers/document-server.ts';

function fragmentOf(document: JsonObject, { route = '/dns', nested = [] as string[] } = {}) {
  return serviceFragment('dns', route, [{ version: '1.0.0', document: rewriteOpenApi3(document) }], nested);
}

const ok = { '200': { description: 'ok' } };

test('names get the service as prefix wherever they are named, paths its route', (t) => {
  const fragment = fragmentOf(
    smallDocument(['/zones/{id}'], {
      security: [{ key: [] }],
      tags: [{ name: 'zones', description: 'All zones' }],
      webhooks: { changed: { post: { operationId: 'changed', responses: ok } } },
    }),
  );
  t.deepEqual(Object.keys(fragment.paths), ['/dns/zones/{id}']);
  const operation = objectAt(fragment.paths['/dns/zones/{id}'] ?? {}, 'get');
  t.is(operation.operationId, 'Dns_readzonesid');
  t.deepEqual(operation.security, [{ Dns_key: [] }]);
  t.deepEqual(operation.tags, ['dns']);
  t.true(JSON.stringify(operation).includes('"#/components/schemas/Dns_Error"'));
  t.deepEqual(Object.keys(fragment.components.schemas ?? {}), ['Dns_Error']);
  t.deepEqual(Object.keys(fragment.webhooks), ['Dns_changed']);
  t.deepEqual(
    fragment.tags.map(({ name, 'x-displayName': shown }) => [name, shown]),
    [
      ['dns', 'Small'],
      ['dns: zones', 'zones'],
    ],
  );
});

test('no two services or versions share a prefix', (t) => {
  // Few letters, so that names are often nearly the same.
  const name = fc.stringMatching(/^[ab1-]{1,4}$/);
  fc.assert(
    fc.property(name, name, (a, b) => a === b || servicePrefix(a) !== servicePrefix(b)),
    { numRuns: 5_000 },
  );
  fc.assert(fc.property(name, (a) => !servicePrefix(a).includes('_')));
  t.is(servicePrefix('mail-relay'), 'MailRelay');
  t.is(versionPrefix('dns', '1.0.0'), 'Dns.1.0.0');
  t.not(versionPrefix('dns', '1.0.0+a'), versionPrefix('dns', '1.0.0_a'));
  t.regex(versionPrefix('dns', 'ü_1/2'), /^[A-Za-z0-9.-]+$/);
});

test('servers give way to the gateway, but their path still leads to the operation', (t) => {
  const at = (servers: JsonObject[], more: JsonObject = {}) =>
    Object.keys(fragmentOf({ ...smallDocument(['/zones']), servers, ...more }).paths);
  t.deepEqual(at([]), ['/dns/zones']);
  t.deepEqual(at([{ url: '/' }]), ['/dns/zones']);
  t.deepEqual(at([{ url: '/v1/' }, { url: '/v2' }]), ['/dns/v1/zones']);
  t.deepEqual(at([{ url: 'https://api.example.com/{base}', variables: { base: { default: 'v3' } } }]), [
    '/dns/v3/zones',
  ]);
  t.deepEqual(
    at([{ url: 'https://api.example.com/dns/v1' }]),
    ['/dns/v1/zones'],
    'a public address that has the route already',
  );
  const item = {
    servers: [{ url: '/item' }],
    get: { responses: ok },
    put: { servers: [{ url: '/own' }], responses: ok },
  };
  t.deepEqual(at([{ url: '/v1' }], { paths: { '/a': item } }), ['/dns/item/a', '/dns/own/a']);
  t.false(
    JSON.stringify(fragmentOf({ ...smallDocument(['/a']), servers: [{ url: '/v1' }], paths: { '/a': item } })).includes(
      'servers',
    ),
  );
});

test('an operation that another route takes is left out alone, with its links, and named', (t) => {
  const document = smallDocument(['/zones', '/records/{id}']);
  const links = {
    record: { operationId: 'readrecordsid' },
    zones: { operationRef: '#/paths/~1zones/get' },
    shared: { $ref: '#/components/links/Gone' },
  };
  const fragment = fragmentOf(
    {
      ...document,
      paths: { ...objectAt(document, 'paths'), '/x': { get: { responses: { '200': { description: 'ok', links } } } } },
      components: { ...objectAt(document, 'components'), links: { Gone: { operationId: 'readrecordsid' } } },
    },
    { nested: ['/dns/records'] },
  );
  t.deepEqual(Object.keys(fragment.paths), ['/dns/zones', '/dns/x']);
  t.deepEqual(fragment.leftOut, [
    {
      service: 'dns',
      version: '1.0.0',
      method: 'get',
      path: '/dns/records/{id}',
      reason: 'requests go to the route /dns/records',
    },
  ]);
  t.true(JSON.stringify(fragment.paths['/dns/x']).includes('{"zones":{"operationRef":"#/paths/~1dns~1zones/get"}}'));
  t.is(fragment.components.links, undefined);
});

test('of two operations that a service itself puts at one place, the first stays and the other is named', (t) => {
  const get = { responses: ok };
  const fragment = fragmentOf({
    ...smallDocument([]),
    paths: {
      '/v1/zones': { get: { ...get, summary: 'first' } },
      '/zones': { servers: [{ url: '/v1' }], get, put: get },
    },
  });
  t.deepEqual(Object.keys(fragment.paths), ['/dns/v1/zones']);
  const item = fragment.paths['/dns/v1/zones'] ?? {};
  t.is(objectAt(item, 'get').summary, 'first');
  t.truthy(item.put);
  t.like(fragment.leftOut, [
    { method: 'get', path: '/dns/v1/zones', reason: 'the service itself has another operation there' },
  ]);
});

test('a discriminator means the same schemas after they are renamed', (t) => {
  const mappingOf = (schemas: JsonObject, name: string) => {
    const fragment = fragmentOf({ ...smallDocument([]), components: { schemas } });
    return objectAt(objectAt((fragment.components.schemas ?? {}) as JsonObject, `Dns_${name}`), 'discriminator')
      .mapping;
  };
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
  const dns = (name: string) => `#/components/schemas/Dns_${name}`;
  const discriminator = { propertyName: 'kind' };
  const pets = { Cat: {}, Dog: {} };
  t.deepEqual(mappingOf({ ...pets, Pet: { oneOf: [ref('Cat'), ref('Dog')], discriminator } }, 'Pet'), {
    Cat: dns('Cat'),
    Dog: dns('Dog'),
  });
  t.deepEqual(
    mappingOf(
      {
        ...pets,
        Pet: { anyOf: [ref('Cat'), ref('Dog')], discriminator: { ...discriminator, mapping: { cat: 'Cat' } } },
      },
      'Pet',
    ),
    { cat: dns('Cat'), Dog: dns('Dog') },
  );
  t.deepEqual(
    mappingOf(
      { ...pets, Pet: { oneOf: [ref('Cat')], discriminator: { ...discriminator, mapping: { c: ref('Cat').$ref } } } },
      'Pet',
    ),
    { c: dns('Cat') },
  );
  const heirs = { Pet: { discriminator }, Cat: { allOf: [ref('Pet'), {}] }, Lion: { allOf: [ref('Cat')] }, Tree: {} };
  t.deepEqual(mappingOf(heirs, 'Pet'), { Cat: dns('Cat'), Lion: dns('Lion') });
});

test('callbacks keep their own addresses, and their schemas are renamed', (t) => {
  const callback = {
    '{$request.body#/url}': {
      servers: [{ url: 'https://client.example' }],
      post: { operationId: 'told', responses: { default: { $ref: '#/components/responses/R' } } },
    },
  };
  const fragment = fragmentOf({
    ...smallDocument([]),
    paths: {
      '/a': { post: { callbacks: { done: callback, named: { $ref: '#/components/callbacks/Done' } }, responses: ok } },
    },
    components: { callbacks: { Done: callback }, responses: { R: { description: 'r' } } },
  });
  t.deepEqual(objectAt(objectAt(fragment.paths['/dns/a'] ?? {}, 'post'), 'callbacks'), {
    done: {
      '{$request.body#/url}': {
        servers: [{ url: 'https://client.example' }],
        post: {
          tags: ['dns'],
          operationId: 'Dns_told',
          responses: { default: { $ref: '#/components/responses/Dns_R' } },
        },
      },
    },
    named: { $ref: '#/components/callbacks/Dns_Done' },
  });
  t.deepEqual(Object.keys(fragment.components.callbacks ?? {}), ['Dns_Done']);
});

test('of two live versions the first is shown, what only the other has is added, and differences are named', (t) => {
  const changed = { Error: { type: 'object', properties: { message: { type: 'integer' } } } };
  const now = smallDocument(['/zones/{id}', '/old'], { components: { schemas: changed } });
  const next = smallDocument(['/zones/{zone}', '/zones/{zone}/records', '/old'], {
    components: { schemas: { ...changed, Unused: {} } },
  });
  const other = smallDocument(['/old'], { components: { schemas: { Error: { type: 'string' } } } });
  const versions = Object.entries({ '1.0.0': now, '1.1.0': next, '0.9.0': other }).map(([version, document]) => ({
    version,
    document: rewriteOpenApi3(document),
  }));
  const fragment = serviceFragment('dns', '/dns', versions, []);
  t.deepEqual(Object.keys(fragment.paths), ['/dns/zones/{id}', '/dns/old', '/dns/zones/{zone}/records']);
  t.is(fragment.tags[0]?.description, 'Small, version 1.0.0 (also live: 1.1.0, 0.9.0).');
  const zones = objectAt(fragment.paths['/dns/zones/{id}'] ?? {}, 'get');
  t.deepEqual(zones['x-mcp-versions'], [
    { version: '1.0.0', state: 'shown' },
    { version: '1.1.0', state: 'same' },
    { version: '0.9.0', state: 'absent' },
  ]);
  t.deepEqual(zones['x-mcp-version-only'], ['1.0.0', '1.1.0']);
  const old = objectAt(fragment.paths['/dns/old'] ?? {}, 'get');
  t.deepEqual(old['x-mcp-versions'], [
    { version: '1.0.0', state: 'shown' },
    { version: '1.1.0', state: 'same' },
    {
      version: '0.9.0',
      state: 'differs',
      differs: ['responses/default'],
      details: [
        'responses/default: application/json type: "object" -> "string"',
        'responses/default: application/json properties: gone',
      ],
    },
  ]);
  t.regex(String(old.description), /Version 0\.9\.0 differs in responses\/default; shown is 1\.0\.0/);
  const records = objectAt(fragment.paths['/dns/zones/{zone}/records'] ?? {}, 'get');
  t.regex(String(records.description), /Only in version 1\.1\.0/);
  t.is(records.operationId, 'Dns.1.1.0_readzoneszonerecords');
  t.true(JSON.stringify(records).includes('Dns.1.1.0_Error'));
  t.deepEqual(Object.keys(fragment.components.schemas ?? {}), ['Dns_Error', 'Dns.1.1.0_Error']);
});

test('a difference is said at every place where it is met, down to the field, also in schemas that contain themselves', (t) => {
  const tree = (value: JsonObject): JsonObject => ({
    type: 'object',
    required: ['value'],
    properties: { value, parent: { $ref: '#/components/schemas/Tree' } },
  });
  const answer = {
    description: 'ok',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Tree' } } },
  };
  const documentWith = (value: JsonObject, parameters: JsonObject[]): JsonObject => ({
    ...smallDocument([]),
    paths: { '/trees': { get: { parameters, responses: { '200': answer, '404': answer } } } },
    components: { schemas: { Tree: tree(value) } },
  });
  const limit = { name: 'limit', in: 'query', schema: { type: 'integer', maximum: 10 } };
  const [a, b] = [
    documentWith({ type: 'string' }, [limit]),
    documentWith({ type: 'integer' }, [{ ...limit, required: true }]),
  ].map((document) => rewriteOpenApi3(document)) as [JsonObject, JsonObject];
  const at = (document: JsonObject) => {
    const item = objectAt(objectAt(document, 'paths'), '/trees');
    return { document, item, operation: objectAt(item, 'get') };
  };
  const changed = ['200', '404'].map((status) => ({
    part: `responses/${status}`,
    details: ['application/json value type: "string" -> "integer"'],
  }));
  t.deepEqual(differences(at(a), at(b)), [
    { part: 'parameters/query/limit', details: ['required: added'] },
    ...changed,
  ]);
  t.deepEqual(differences(at(a), at(a)), []);
});

test('operations of two versions under one path keep their own parameters', (t) => {
  const parameter = (name: string, where: string) => ({ name, in: where, required: true, schema: { type: 'string' } });
  const a = {
    ...smallDocument([]),
    paths: { '/z/{id}': { parameters: [parameter('id', 'path'), parameter('a', 'query')], get: { responses: ok } } },
  };
  const b = {
    ...smallDocument([]),
    paths: {
      '/z/{key}': {
        parameters: [{ $ref: '#/components/parameters/Key' }],
        delete: { parameters: [parameter('b', 'query')], responses: ok },
      },
    },
    components: { parameters: { Key: parameter('key', 'path') } },
  };
  const versions = [a, b].map((document, index) => ({ version: `${index}`, document: rewriteOpenApi3(document) }));
  const { paths } = serviceFragment('dns', '/dns', versions, []);
  t.deepEqual(Object.keys(paths), ['/dns/z/{id}']);
  const item = paths['/dns/z/{id}'] ?? {};
  t.is(item.parameters, undefined);
  t.deepEqual(objectAt(item, 'get').parameters, [parameter('id', 'path'), parameter('a', 'query')]);
  t.deepEqual(objectAt(item, 'delete').parameters, [parameter('b', 'query'), parameter('id', 'path')]);
});

test('versions have one order', (t) => {
  const version = fc.stringMatching(/^v?\d{1,2}(\.\d{1,2}){0,2}(-(rc|beta)\.\d)?$/);
  fc.assert(
    fc.property(version, version, (a, b) => Math.sign(compareVersions(a, b)) === -Math.sign(compareVersions(b, a))),
  );
  t.deepEqual(['1.0.0', '1.0.0-rc.2', 'v2', '1.0.0-rc.10', '0.9'].sort(compareVersions), [
    '0.9',
    '1.0.0-rc.2',
    '1.0.0-rc.10',
    '1.0.0',
    'v2',
  ]);
});
