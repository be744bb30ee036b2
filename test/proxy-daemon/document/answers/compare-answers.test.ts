/** Whether two answers have one shape, by what is declared of it, and that nobody's data is told. */
import { gzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { compareAnswers } from '../../../../proxy-daemon/document/answers/compare-answers.ts';
import { declaredAnswer } from '../../../../proxy-daemon/document/answers/declared-answer.ts';
import { deviationOf, TooManySteps } from '../../../../proxy-daemon/document/answers/deviation.ts';
import { shapeOf } from '../../../../proxy-daemon/document/answers/shape-of.ts';
import { isObject, type Json, type JsonObject } from '../../../../proxy-daemon/document/json.ts';
import { accepts, smallSchema, smallValue } from '../../../helpers/schema-oracle.ts';

const zone = {
  type: 'object',
  required: ['name', 'secret'],
  properties: {
    name: { type: 'string' },
    ttl: { type: ['integer', 'null'] },
    secret: { type: 'string', writeOnly: true },
    state: { enum: ['on', 'off'] },
    more: { $ref: '#/components/schemas/Zone' },
  },
  additionalProperties: { type: 'number' },
};
const document: JsonObject = {
  openapi: '3.1.0',
  servers: [{ url: '/v1' }],
  paths: {
    '/zones/{id}': {
      get: {
        responses: {
          200: { content: { 'application/json; charset=utf-8': { schema: { $ref: '#/components/schemas/Zone' } } } },
          '4XX': { $ref: '#/components/responses/Problem' },
        },
      },
    },
    '/zones/all': { get: { responses: { default: { content: { '*/*': { schema: { type: 'array' } } } } } } },
    '/files/{name}.json': { get: { responses: {} } },
  },
  components: {
    schemas: { Zone: zone },
    responses: { Problem: { content: { 'application/*': { schema: { type: 'object', required: ['error'] } } } } },
  },
};

function verdict(answer: unknown, copy: unknown, change: { path?: string; status?: number; declared?: boolean } = {}) {
  const { path = '/v1/zones/a%2Fb?secret=1', status = 200, declared = true } = change;
  const seen = (value: unknown) => ({
    type: 'application/json',
    encoding: '',
    body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  });
  return compareAnswers({
    kind: 'answers',
    route: '/dns',
    pair: {
      ...{ service: 'dns', version: '1', to: '2', method: 'GET', path, status },
      answer: seen(answer),
      copy: seen(copy),
    },
    declared: declared ? { digest: 'x', document: Buffer.from(JSON.stringify(document)) } : null,
  });
}

test('an answer is measured by the schema declared for its operation, status and kind', (t) => {
  t.like(verdict({ name: 'a' }, { name: 'b', ttl: null, more: { name: 'c' } }), {
    outcome: 'conforms',
    basis: 'document',
    operation: 'GET /zones/{id}',
  });
  const found = (copy: unknown) => verdict({ name: 'a' }, copy).deviation;
  t.deepEqual(found({ ttl: 1 }), { where: '/name', expected: 'string', found: 'nothing' });
  t.deepEqual(found({ name: 1 }), { where: '/name', expected: 'string', found: 'integer' });
  t.deepEqual(found({ name: 'a', ttl: 1.5 }), { where: '/ttl', expected: 'integer or null', found: 'number' });
  t.deepEqual(found({ name: 'a', state: 'gone' }), {
    where: '/state',
    expected: 'one of 2 listed values',
    found: 'another string',
  });
  t.deepEqual(found({ name: 'a', more: { name: 'a', more: [] } })?.where, '/more/more');
  t.deepEqual(found({ name: 'a', 'anna@example.com': 'x' }), { where: '/*', expected: 'number', found: 'string' });
  t.deepEqual(found('<html>'), { where: '', expected: 'JSON', found: 'something else' });
  t.is(verdict({ error: 1 }, {}, { status: 404 }).deviation?.where, '/error');
  t.is(
    verdict([], {}, { path: '/v1/zones/all', status: 500 }).operation,
    'GET /zones/all',
    'the one without parameters',
  );
});

test('where nothing is declared, or the answer is not as declared, the answer itself is the measure, and no name of it is told', (t) => {
  const answer = { users: [{ id: 1, 'anna@example.com': 'x' }, { id: 2 }] };
  const told = (copy: unknown) => verdict(answer, copy, { declared: false });
  t.like(told({ users: [{ id: 3.5, more: true }], new: 1 }), {
    outcome: 'conforms',
    basis: 'answer',
    operation: 'GET',
  });
  t.deepEqual(told({ users: [{}] }).deviation, { where: '/*/*/*', expected: 'number', found: 'nothing' });
  t.deepEqual(told({ users: null }).deviation, { where: '/*', expected: 'array', found: 'null' });
  t.like(verdict({ name: 7 }, { name: 'a' }), { outcome: 'deviates', basis: 'answer' }, 'the document lies');
  t.like(verdict({ name: 7 }, { name: 8 }), { outcome: 'conforms', basis: 'answer' });
  t.is(verdict('<html>', {}).outcome, 'unknown');
});

test('packed answers are unpacked up to a bound; what takes too long or nests too deeply is not told', (t) => {
  const pair = (body: Uint8Array, encoding: string) => ({
    ...{ service: 'dns', version: '1', to: '2', method: 'GET', path: '/x', status: 200 },
    answer: { type: 'application/json', encoding, body },
    copy: { type: 'application/json', encoding: '', body: Buffer.from('{"a":1}') },
  });
  const job = (body: Uint8Array, encoding = 'gzip') =>
    compareAnswers({ kind: 'answers', route: '/', pair: pair(body, encoding), declared: null }).outcome;
  t.is(job(gzipSync('{"a":2}')), 'conforms');
  t.is(job(gzipSync('{"a":"2"}')), 'deviates');
  t.is(job(gzipSync(`"${'a'.repeat(5_000_000)}"`)), 'unknown');
  t.is(job(Buffer.from('{"a":2}'), 'zstd'), 'unknown');
  t.is(job(Buffer.from('[['), ''), 'unknown');
  const itself = { $ref: '#/x' };
  const knot = { allOf: [{ anyOf: [itself, itself, itself] }, { required: ['a'] }] };
  t.throws(() => deviationOf(knot, {}, { x: knot }), { instanceOf: TooManySteps });
});

test('no answer that the schema accepts deviates, and of schemas of shape alone each that it refuses does', (t) => {
  fc.assert(
    fc.property(smallSchema, smallValue, (schema, value) => {
      const shape = shapeAlone(schema) as JsonObject;
      t.is(deviationOf(shape, value, {}) === null, accepts(shape, value));
      if (accepts(schema, value)) t.is(deviationOf(schema, value, {}), null);
    }),
    { numRuns: 2000 },
  );
});

test('every value has the shape that it suggests', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.is(deviationOf(shapeOf(value as Json), value as Json, null), null);
    }),
  );
});

test('paths are compared as an instance sees them, below the server that the document names', (t) => {
  const at = (path: string) =>
    declaredAnswer(document, { method: 'GET', path, route: '/dns', status: 200, type: 'application/json' })?.path;
  t.deepEqual(
    [
      '/v1/zones/x',
      '/v1/zones/',
      '/zones/x',
      '/v1/zones/x/y',
      '/v1/files/a.json',
      '/v1/files/.json',
      '/v1/%7Aones/x',
    ].map(at),
    ['/zones/{id}', undefined, undefined, undefined, '/files/{name}.json', undefined, '/zones/{id}'],
  );
});

/** Without limits, and with alternatives of which several may fit. */
function shapeAlone(schema: Json | undefined): Json | undefined {
  if (Array.isArray(schema)) return schema.map((one) => shapeAlone(one) ?? null);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([name]) => !/^(min|max|exclusive)/.test(name));
  return Object.fromEntries(kept.map(([name, value]) => [name === 'oneOf' ? 'anyOf' : name, shapeAlone(value)]));
}
