import fc from 'fast-check';
import type { Json, JsonObject } from '../../proxy-daemon/document/json.ts';

/**
 * Random OpenAPI 3.1 documents that are valid, refer to themselves in every way a document can, and use few names, so that
 * any two of them clash. Data that only looks like references is strewn in.
 */

const schemaNames = ['Error', 'Pet', 'Dns_Error', 'Pet.v1', 'Error_'];
const paths = ['/things', '/things/{id}', '/a~b/{id}', '/openapi', '/'];
const methods = ['get', 'post', 'delete'];

const lookalike: fc.Arbitrary<Json> = fc.constantFrom<Json>(
  { $ref: '#/components/schemas/Error' },
  { $ref: 'http://127.0.0.1/other.json' },
  [{ $ref: '#/components/schemas/Pet' }],
  { discriminator: { propertyName: 'x', mapping: { a: 'Error' } } },
  7,
);
const propertyName = fc.constantFrom('id', '$ref', 'example', 'properties', 'discriminator', 'x-note', 'default');
const schemaRef = fc.constantFrom(
  ...schemaNames.map((name) => ({ $ref: `#/components/schemas/${name}` })),
  { $ref: '#/components/schemas/Pet/properties/id' },
  { $ref: '#/paths/~1things/get/responses/200/content/application~1json/schema' },
);

const { schema } = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      schemaRef,
      fc.record({ type: fc.constantFrom('string', 'integer'), default: lookalike }, { requiredKeys: ['type'] }),
      fc.record(
        { enum: fc.array(lookalike, { minLength: 1, maxLength: 2 }), const: lookalike },
        { requiredKeys: ['enum'] },
      ),
      fc.record({ examples: fc.array(lookalike, { maxLength: 2 }), description: fc.string() }, { requiredKeys: [] }),
    ),
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
    fc.record({
      $ref: fc.constant('#/components/schemas/Error'),
      properties: fc.dictionary(propertyName, tie('schema')),
    }),
    fc.record(
      {
        type: fc.constant('object'),
        properties: fc.dictionary(propertyName, tie('schema'), { maxKeys: 3 }),
        additionalProperties: tie('schema'),
        $defs: fc.dictionary(propertyName, tie('schema'), { maxKeys: 1 }),
      },
      { requiredKeys: ['type'] },
    ),
    fc.record(
      { allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }), not: tie('schema') },
      { requiredKeys: ['allOf'] },
    ),
    fc.record({
      oneOf: fc.constant(schemaNames.slice(0, 3).map((name) => ({ $ref: `#/components/schemas/${name}` }))),
      discriminator: fc.record(
        {
          propertyName: fc.constant('kind'),
          mapping: fc.dictionary(
            fc.constantFrom('a', 'Error', 'Pet'),
            fc.constantFrom('Error', 'Pet', '#/components/schemas/Pet.v1', '#/components/schemas/Pet/properties/id'),
          ),
        },
        { requiredKeys: ['propertyName'] },
      ),
    }),
  ) as fc.Arbitrary<JsonObject>,
}));

const media = fc.record(
  {
    schema,
    examples: fc.dictionary(
      fc.constantFrom('one', '$ref'),
      fc.oneof(fc.record({ value: lookalike }), ref('examples', 'Sample')),
    ),
  },
  { requiredKeys: ['schema'] },
);
const content = media.map((json) => ({ 'application/json': json }));
const parameter: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.record({ name: fc.constantFrom('q', 'id'), in: fc.constant('query'), schema }),
  ref('parameters', 'Page'),
);
const security = fc.array(fc.constantFrom<JsonObject>({ key: [] }, { key: [], login: ['read'] }, {}), { maxLength: 2 });
const link = fc.oneof(
  fc.constantFrom<JsonObject>(
    { operationId: 'readThings', parameters: { id: '$response.body#/id' } },
    { operationRef: '#/paths/~1things/get' },
  ),
  ref('links', 'Next'),
);
const response = fc.oneof(
  fc.record(
    {
      description: fc.string(),
      content,
      headers: fc.dictionary(
        fc.constantFrom('x-rate', 'etag'),
        fc.oneof(fc.record({ schema }), ref('headers', 'Rate')),
      ),
      links: fc.dictionary(fc.constantFrom('next', '$ref'), link),
    },
    { requiredKeys: ['description'] },
  ),
  ref('responses', 'Failed'),
);
const body = fc.oneof(fc.record({ content }), ref('requestBodies', 'Body'));

function operation(callbacks: boolean): fc.Arbitrary<JsonObject> {
  return fc.record(
    {
      tags: fc.uniqueArray(fc.constantFrom('things', 'admin'), { maxLength: 2 }),
      parameters: fc.uniqueArray(parameter, {
        maxLength: 2,
        selector: (item) => JSON.stringify([item.name, item.$ref]),
      }),
      requestBody: body,
      responses: fc.record({ '200': response, default: response }, { requiredKeys: ['200'] }),
      security,
      ...(callbacks
        ? {
            callbacks: fc.dictionary(
              fc.constantFrom('done', '$ref'),
              fc.oneof(
                fc.record({ '{$request.body#/url}': operation(false).map((post) => ({ post })) }),
                ref('callbacks', 'Done'),
              ),
            ),
          }
        : {}),
    },
    { requiredKeys: ['responses'] },
  ) as fc.Arbitrary<JsonObject>;
}

function ref(section: string, name: string): fc.Arbitrary<JsonObject> {
  return fc.constant({ $ref: `#/components/${section}/${name}` });
}

const inlineResponse = fc.record({
  description: fc.string(),
  content: schema.map((inner) => ({ 'application/json': { schema: { title: 'wrapped', anyOf: [inner] } } })),
});

/** A valid document in which every reference that `schemaRef` and `ref` make resolves. */
export const openApiDocument: fc.Arbitrary<JsonObject> = fc
  .record({
    operations: fc.uniqueArray(
      fc.record({ path: fc.constantFrom(...paths), method: fc.constantFrom(...methods), operation: operation(true) }),
      { maxLength: 4, selector: ({ path, method }) => `${method} ${path}` },
    ),
    schemas: fc.tuple(...schemaNames.map(() => schema)),
    pet: schema,
    first: operation(true),
    firstResponse: inlineResponse,
    page: fc.record({ name: fc.constant('page'), in: fc.constant('query'), schema }),
    sample: fc.record({ value: lookalike }),
    body: fc.record({ content }),
    failed: inlineResponse,
    rate: fc.record({ schema }),
    next: fc.constantFrom<JsonObject>({ operationId: 'readThings' }, { operationRef: '#/paths/~1things/get' }),
    done: operation(false),
    hook: operation(false),
    security: fc.option(security, { nil: undefined }),
  })
  .map((parts) => {
    const document: JsonObject = {
      openapi: '3.1.0',
      info: { title: 'Random', version: '1' },
      tags: [{ name: 'things', description: 'Things' }],
      paths: {},
      webhooks: { happened: { post: parts.hook } },
      components: {
        schemas: {
          // What is inside is wrapped, so that two components never only refer to each other.
          ...Object.fromEntries(
            schemaNames.map((name, index) => [name, { title: name, anyOf: [parts.schemas[index] ?? {}] }]),
          ),
          Pet: { type: 'object', properties: { id: { title: 'id', anyOf: [parts.pet] } } },
        },
        parameters: { Page: parts.page },
        examples: { Sample: parts.sample },
        requestBodies: { Body: parts.body },
        responses: { Failed: parts.failed },
        headers: { Rate: parts.rate },
        links: { Next: parts.next },
        callbacks: { Done: { '{$request.body#/done}': { post: parts.done } } },
        securitySchemes: {
          key: { type: 'apiKey', in: 'header', name: 'x-key' },
          login: { type: 'openIdConnect', openIdConnectUrl: 'https://login.example/' },
        },
      },
    };
    if (parts.security) document.security = parts.security;
    const byPath: Record<string, JsonObject> = {};
    const all = [
      ...parts.operations.filter(({ path, method }) => path !== '/things' || method !== 'get'),
      { path: '/things', method: 'get', operation: { ...parts.first, responses: { '200': parts.firstResponse } } },
    ];
    for (const { path, method, operation: described } of all) {
      const operationId = path === '/things' && method === 'get' ? 'readThings' : `${method}${path.length}`;
      byPath[path] = { ...byPath[path], [method]: { ...described, operationId } };
    }
    document.paths = byPath;
    return document;
  });
