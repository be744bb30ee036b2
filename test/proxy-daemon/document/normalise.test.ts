import test from 'ava';
import type { JsonObject } from '../../../proxy-daemon/document/json.ts';
import { objectAt } from '../../../proxy-daemon/document/json.ts';
import { normaliseDocument, rewriteOpenApi3, validateDocument } from '../../../proxy-daemon/document/normalise.ts';
import { parseDocument } from '../../../proxy-daemon/document/parse-document.ts';
import { isMcpError } from '../../../specs/errors.ts';
import { smallDocument } from '../../helpers/document-server.ts';

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'no error';
  } catch (error) {
    return isMcpError(error) ? error.code : String(error);
  }
}

const parse = (text: string | Uint8Array) => parseDocument(typeof text === 'string' ? Buffer.from(text) : text);

function withSchemas(schemas: JsonObject, openapi = '3.1.0'): JsonObject {
  return { ...smallDocument(['/a']), openapi, components: { schemas: { Error: {}, ...schemas } } };
}

function schemaOf(document: JsonObject, name: string): JsonObject {
  return objectAt(objectAt(objectAt(document, 'components'), 'schemas'), name);
}

test('JSON and YAML are read alike, also YAML in flow style and with anchors', (t) => {
  t.deepEqual(parse('{"openapi":"3.1.0","a":[1]}'), { openapi: '3.1.0', a: [1] });
  t.deepEqual(parse('openapi: 3.1.0\na: [1]\n'), { openapi: '3.1.0', a: [1] });
  t.deepEqual(parse('{openapi: 3.1.0, a: [1]}'), { openapi: '3.1.0', a: [1] });
  t.deepEqual(parse('a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n'), { a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } });
  t.deepEqual(parse('\uFEFFresponses:\n  200: {description: ok}\n'), { responses: { '200': { description: 'ok' } } });
});

test('what is no readable document is refused with its own code', async (t) => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join()}]`)
    .join('\n')}`;
  const cases: [string, string | Uint8Array][] = [
    ['DOCUMENT_INVALID', ''],
    ['DOCUMENT_INVALID', '[]'],
    ['DOCUMENT_INVALID', 'just text'],
    ['DOCUMENT_SYNTAX', '{"a":'],
    ['DOCUMENT_SYNTAX', 'a: [1\nb: 2'],
    ['DOCUMENT_SYNTAX', 'a: 1\na: 2\n'],
    ['DOCUMENT_SYNTAX', bomb],
    ['DOCUMENT_NOT_UTF8', Uint8Array.from([0x7b, 0xff, 0x7d])],
    ['DOCUMENT_TOO_DEEP', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`],
    ['DOCUMENT_TOO_DEEP', 'a: &a [*a]'],
    ['DOCUMENT_INVALID', '{"a":{"__proto__":{"polluted":true}}}'],
    ['DOCUMENT_TOO_LARGE', `{"a":[${'1,'.repeat(1_000_001)}1]}`],
  ];
  for (const [code, text] of cases) t.is(await codeOf(() => parse(text)), code, String(text).slice(0, 40));
  // Deeper than any stack.
  t.not(await codeOf(() => parse(`a: ${'['.repeat(100_000)}`)), 'no error');
});

test('documents of other or no known formats, and ones that break their format, are refused', async (t) => {
  const good = smallDocument(['/a']);
  t.is(await codeOf(() => normaliseDocument(good)), 'no error');
  for (const openapi of ['2.0', '3.2.0', '4.0.0', 3.1, undefined]) {
    t.is(await codeOf(() => normaliseDocument({ ...good, openapi })), 'DOCUMENT_VERSION', String(openapi));
  }
  const { info: _, ...noInfo } = good;
  t.is(await codeOf(() => normaliseDocument(noInfo)), 'DOCUMENT_INVALID');
  t.is(await codeOf(() => normaliseDocument({ ...good, paths: { a: {} } })), 'DOCUMENT_INVALID');
  t.is(
    await codeOf(() => normaliseDocument({ ...good, paths: { '/a': { get: { responses: 7 } } } })),
    'DOCUMENT_INVALID',
  );
});

test('references to anywhere else are refused and never read; data that looks like one is left alone', async (t) => {
  for (const ref of [
    'http://127.0.0.1:1/x.json',
    'file:///etc/passwd',
    'other.json#/Error',
    '/etc/passwd',
    '//host/x',
  ]) {
    t.is(await codeOf(() => normaliseDocument(withSchemas({ A: { $ref: ref } }))), 'DOCUMENT_REMOTE_REF', ref);
  }
  const document = smallDocument(['/a']);
  const item = { ...document, paths: { '/b': { $ref: 'http://127.0.0.1:1/item.json' } } };
  t.is(await codeOf(() => normaliseDocument(item)), 'DOCUMENT_REMOTE_REF');
  const data = withSchemas({
    A: {
      type: 'object',
      properties: { $ref: { type: 'string' }, example: { $ref: '#/components/schemas/Error' } },
      examples: [{ $ref: 'http://127.0.0.1:1/' }],
      default: { $ref: '#/nowhere' },
      enum: [{ $ref: 'file:///etc/passwd' }],
    },
  });
  t.deepEqual(schemaOf(await normaliseDocument(data), 'A'), schemaOf(data, 'A'));
});

test('references that lead nowhere or only to each other are refused; schemas that contain themselves are fine', async (t) => {
  t.is(
    await codeOf(() => normaliseDocument(withSchemas({ A: { $ref: '#/components/schemas/B' } }))),
    'DOCUMENT_DANGLING_REF',
  );
  t.is(await codeOf(() => normaliseDocument(withSchemas({ A: { $ref: '#gone' } }))), 'DOCUMENT_DANGLING_REF');
  t.is(
    await codeOf(() => normaliseDocument(withSchemas({ A: { $ref: '#/components/schemas/A' } }))),
    'DOCUMENT_REF_CYCLE',
  );
  const circle = { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } };
  t.is(await codeOf(() => normaliseDocument(withSchemas(circle))), 'DOCUMENT_REF_CYCLE');
  const tree = { A: { properties: { next: { $ref: '#/components/schemas/A' } } } };
  t.is(await codeOf(() => normaliseDocument(withSchemas(tree))), 'no error');
});

test('a small document whose references double at each step costs no more than it is long', async (t) => {
  const schemas = Object.fromEntries(
    Array.from({ length: 60 }, (_, index): [string, JsonObject] => [
      `L${index}`,
      index === 59
        ? { type: 'string' }
        : {
            properties: {
              a: { $ref: `#/components/schemas/L${index + 1}` },
              b: { $ref: `#/components/schemas/L${index + 1}` },
            },
          },
    ]),
  );
  // Expanded, it would have 2^59 leaves: the test would not end.
  t.is(await codeOf(() => normaliseDocument(withSchemas(schemas))), 'no error');
});

test('references into other places become components, and names of JSON Schema are resolved', (t) => {
  const deep = '#/paths/~1a/get/responses/200/content/application~1json/schema';
  const document = rewriteOpenApi3({
    ...withSchemas({
      Deep: { properties: { x: { $ref: deep }, y: { $ref: deep } } },
      Old: { $ref: '#/definitions/Thing' },
      Named: {
        $id: 'https://example.com/named',
        $defs: { inner: { type: 'integer' } },
        properties: { i: { $ref: '#/$defs/inner' } },
      },
      ById: {
        properties: { n: { $ref: 'https://example.com/named' }, m: { $ref: 'https://example.com/named#/$defs/inner' } },
      },
      Anchored: { $anchor: 'here', type: 'boolean' },
      ByAnchor: { items: { $ref: '#here' } },
      'With space': { type: 'null' },
      Encoded: { items: { $ref: '#/components/schemas/With%20space' } },
    }),
    definitions: { Thing: { properties: { again: { $ref: '#/definitions/Thing' } } } },
  });
  const name = 'paths.-a.get.responses.200.content.application-json.schema';
  t.deepEqual(schemaOf(document, 'Deep'), {
    properties: { x: { $ref: `#/components/schemas/${name}` }, y: { $ref: `#/components/schemas/${name}` } },
  });
  t.deepEqual(schemaOf(document, name), { type: 'object' });
  t.deepEqual(schemaOf(document, 'Old'), { $ref: '#/components/schemas/definitions.Thing' });
  t.deepEqual(schemaOf(document, 'definitions.Thing'), {
    properties: { again: { $ref: '#/components/schemas/definitions.Thing' } },
  });
  t.deepEqual(schemaOf(document, 'Named'), {
    $defs: { inner: { type: 'integer' } },
    properties: { i: { $ref: '#/components/schemas/Named/$defs/inner' } },
  });
  t.deepEqual(schemaOf(document, 'ById'), {
    properties: { n: { $ref: '#/components/schemas/Named' }, m: { $ref: '#/components/schemas/Named/$defs/inner' } },
  });
  t.deepEqual(schemaOf(document, 'ByAnchor'), { items: { $ref: '#/components/schemas/Anchored' } });
  t.deepEqual(schemaOf(document, 'Encoded'), { items: { $ref: '#/components/schemas/With%20space' } });
});

test('Swagger 2.0 becomes valid OpenAPI 3.1 and keeps its data to the letter', async (t) => {
  const lookalike = { $ref: '#/definitions/Pet' };
  const document = await normaliseDocument({
    swagger: '2.0',
    info: { title: 'Pets', version: '1' },
    basePath: '/v1',
    consumes: ['application/json'],
    produces: ['application/json'],
    securityDefinitions: { key: { type: 'apiKey', in: 'header', name: 'x-key' } },
    paths: {
      '/pets': {
        post: {
          parameters: [{ name: 'body', in: 'body', schema: { $ref: '#/definitions/Pet' } }],
          responses: {
            200: {
              description: 'ok',
              schema: { $ref: '#/definitions/Pet' },
              examples: { 'application/json': lookalike },
            },
          },
        },
      },
    },
    definitions: {
      Pet: {
        type: 'object',
        discriminator: 'kind',
        required: ['kind'],
        properties: {
          kind: { type: 'string' },
          example: { $ref: '#/definitions/Dog' },
          size: { type: 'number', minimum: 0, exclusiveMinimum: true },
        },
        example: lookalike,
        'x-note': lookalike,
      },
      Dog: { allOf: [{ $ref: '#/definitions/Pet' }] },
    },
  });
  validateDocument(document);
  t.is(document.openapi, '3.1.0');
  const pet = schemaOf(document, 'Pet');
  t.deepEqual(pet.examples, [lookalike]);
  t.deepEqual(pet['x-note'], lookalike);
  t.deepEqual(objectAt(pet, 'properties').example, { $ref: '#/components/schemas/Dog' });
  t.deepEqual(objectAt(pet, 'properties').size, { type: 'number', exclusiveMinimum: 0 });
  t.deepEqual(pet.discriminator, { propertyName: 'kind', mapping: { Dog: '#/components/schemas/Dog' } });
  const examples = JSON.stringify(objectAt(objectAt(document, 'paths'), '/pets'));
  t.true(examples.includes('{"$ref":"#/definitions/Pet"}'));
});

test('each rule from OpenAPI 3.0 to 3.1 does what the migration guide says', (t) => {
  const upgraded = (schema: JsonObject) => schemaOf(rewriteOpenApi3(withSchemas({ A: schema }, '3.0.3')), 'A');
  const error = { $ref: '#/components/schemas/Error' };
  t.deepEqual(upgraded({ type: 'string', nullable: true }), { type: ['string', 'null'] });
  t.deepEqual(upgraded({ type: 'string', nullable: false }), { type: 'string' });
  t.deepEqual(upgraded({ nullable: true, allOf: [error] }), { anyOf: [{ allOf: [error] }, { type: 'null' }] });
  t.deepEqual(upgraded({ nullable: true, oneOf: [error] }), { oneOf: [error, { type: 'null' }] });
  t.deepEqual(upgraded({ minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false }), {
    exclusiveMinimum: 1,
    maximum: 9,
  });
  t.deepEqual(upgraded({ example: null, type: 'string' }), { examples: [null], type: 'string' });
  t.deepEqual(upgraded({ type: 'string', format: 'byte' }), {
    type: 'string',
    format: 'byte',
    contentEncoding: 'base64',
  });
  t.deepEqual(upgraded({ items: { ...error, maxLength: 3, description: 'why' } }), {
    items: { ...error, description: 'why' },
  });
  t.deepEqual(upgraded({ properties: { nullable: { type: 'string', nullable: true } } }), {
    properties: { nullable: { type: ['string', 'null'] } },
  });
  const body = { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } };
  const parts = { 'multipart/form-data': { schema: { properties: { file: { type: 'string', format: 'binary' } } } } };
  const document = rewriteOpenApi3({
    ...withSchemas({}, '3.0.3'),
    components: { schemas: { Error: {} }, requestBodies: { B: body, P: { content: parts } } },
  });
  const bodies = JSON.stringify(objectAt(objectAt(document, 'components'), 'requestBodies'));
  t.is(bodies.split('"contentMediaType":"application/octet-stream"').length, 3);
});

test('a service can not speak for the gateway', (t) => {
  const document = rewriteOpenApi3({
    ...smallDocument([]),
    paths: { '/a': { 'x-mcp-versions': [], get: { 'x-mcp-left-out': 1, 'x-own': 2, responses: {} } } },
  });
  t.deepEqual(document.paths, { '/a': { get: { 'x-own': 2, responses: {} } } });
});

test('what the validator wrongly refuses is accepted', async (t) => {
  const document = smallDocument(['/b'], { info: { title: 'a', version: '1', license: { name: 'MIT' } } });
  const link = { operationId: 'readb', parameters: { limit: 5 }, server: { url: '/' } };
  const response = { description: 'ok', links: { next: link } };
  const normalised = await normaliseDocument({
    ...document,
    paths: {
      ...objectAt(document, 'paths'),
      '/a': { $ref: '#/paths/~1b' },
      '/c': { get: { responses: { '200': response } } },
    },
    components: {
      ...objectAt(document, 'components'),
      securitySchemes: { token: { type: 'http', scheme: 'Bearer', bearerFormat: 'JWT' } },
    },
  });
  validateDocument(normalised);
  t.deepEqual(Object.keys(objectAt(normalised, 'paths')), ['/b', '/a', '/c']);
  t.is(objectAt(objectAt(objectAt(normalised, 'components'), 'securitySchemes'), 'token').scheme, 'bearer');
  await t.throwsAsync(normaliseDocument({ ...document, info: { title: 'a', version: '1', license: {} } }), {
    code: 'DOCUMENT_INVALID',
  });
});
