import test from 'ava';
import fc from 'fast-check';
import { isObject, type Json, type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import { repairAndNormalise } from '../../../proxy-daemon/document/repair.ts';
import { isMcpError } from '../../../specs/errors.ts';
import { smallDocument } from '../../helpers/document-server.ts';
import { assertValidOpenApi } from '../../helpers/independent-validator.ts';

const ok = { '200': { description: 'ok' } };

/** A document with one operation beside the sound one at /well. */
function withOperation(operation: Json, more: JsonObject = {}): JsonObject {
  return { ...smallDocument([]), paths: { '/well': { get: { responses: ok } }, '/ill': { post: operation } }, ...more };
}

test('what breaks the letter is repaired or dropped alone, with a note, and the rest stays', async (t) => {
  const cases: [JsonObject, RegExp, (document: JsonObject, operation: JsonObject) => unknown, unknown][] = [
    [
      withOperation({ responses: { '200': {} } }),
      /\/200 has no description/,
      (_, { responses }) => responses,
      { '200': { description: '' } },
    ],
    [
      withOperation({ responses: {} }),
      /has no response among its responses/,
      (_, { responses }) => responses,
      undefined,
    ],
    [
      withOperation({ responses: ok, produces: ['x'] }),
      /unknown field "produces"/,
      (_, { produces }) => produces,
      undefined,
    ],
    [
      withOperation({
        responses: ok,
        parameters: [{ in: 'query' }, { name: 'a', in: 'query', schema: { type: 'int' } }],
      }),
      /parameters\/0 is no parameter: left out/,
      (_, { parameters }) => parameters,
      [{ name: 'a', in: 'query', schema: { type: 'integer' } }],
    ],
    [
      withOperation({ responses: ok }, { info: { title: 'T', version: 2 as unknown as string } }),
      /title and version are needed, as texts/,
      ({ info }) => info,
      { title: 'T', version: '2' },
    ],
    [
      withOperation({
        responses: {
          '200': {
            description: 'x',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/None' } } },
          },
        },
      }),
      /schemas\/None: nothing is there: left out/,
      (_, { responses }) => JSON.stringify(responses),
      '{"200":{"description":"x","content":{"application/json":{"schema":{}}}}}',
    ],
    [
      withOperation({ responses: ok, parameters: [{ $ref: '#/components/parameters/None' }] }),
      /parameters\/0 .*nothing is there: left out/,
      (_, { parameters }) => parameters,
      [],
    ],
    [
      withOperation(
        { responses: ok },
        { components: { schemas: { A: { type: 'object', required: true, minLength: '3', pattern: '(' } } } },
      ),
      /required can't be true: dropped/,
      ({ components }) => objectAt(components as JsonObject, 'schemas').A,
      { type: 'object', minLength: 3 },
    ],
    [withOperation('nonsense'), /post can't be "nonsense": dropped/, (_, operation) => operation, {}],
  ];
  for (const [index, [document, note, look, expected]] of cases.entries()) {
    for (const openapi of ['3.0.3', '3.1.0']) {
      const repaired = await repairAndNormalise({ ...document, openapi });
      await assertValidOpenApi(t, repaired.document);
      const paths = objectAt(repaired.document, 'paths');
      t.deepEqual(paths['/well'], { get: { responses: ok } });
      t.true(
        repaired.notes.some((said) => note.test(said)),
        `${index} ${openapi}: ${repaired.notes.join(' | ')}`,
      );
      t.deepEqual(look(repaired.document, objectAt(objectAt(paths, '/ill'), 'post')), expected, `${index} ${openapi}`);
    }
  }
});

test('components whose names OpenAPI does not allow get others, wherever they are named', async (t) => {
  const page = { $ref: '#/components/schemas/Page%3CUser%3E' };
  const answer = { description: 'ok', content: { 'application/json': { schema: page } } };
  const { document, notes } = await repairAndNormalise(
    withOperation(
      { responses: { '200': answer }, security: [{ 'my key': [] }] },
      {
        components: {
          schemas: {
            'Page<User>': { type: 'object', properties: { next: { $ref: '#/components/schemas/Page<User>' } } },
            'Page-User': { type: 'string' },
            Any: { oneOf: [page], discriminator: { propertyName: 'kind', mapping: { page: 'Page<User>' } } },
          },
          securitySchemes: { 'my key': { type: 'apiKey', in: 'header', name: 'x-key' } },
        },
      },
    ),
  );
  await assertValidOpenApi(t, document);
  t.is(notes.length, 3);
  const components = objectAt(document, 'components');
  const ref = '#/components/schemas/Page-User-2';
  t.deepEqual(Object.keys(objectAt(components, 'schemas')), ['Page-User-2', 'Page-User', 'Any']);
  t.deepEqual(objectAt(objectAt(components, 'schemas'), 'Page-User-2').properties, { next: { $ref: ref } });
  t.like(objectAt(objectAt(components, 'schemas'), 'Any'), { discriminator: { mapping: { page: ref } } });
  const operation = objectAt(objectAt(objectAt(document, 'paths'), '/ill'), 'post');
  t.deepEqual(operation.security, [{ 'my-key': [] }]);
  t.true(JSON.stringify(operation.responses).includes(ref));
});

test('a sound document has no notes, and is not touched by repairing', async (t) => {
  const { document, notes } = await repairAndNormalise(smallDocument(['/a/{id}', '/b']));
  t.deepEqual(notes, []);
  t.deepEqual(document, smallDocument(['/a/{id}', '/b']));
});

/** Replaces or removes one value somewhere in the document. */
function broken(document: JsonObject, place: number, by: Json | undefined): JsonObject {
  const copy = structuredClone(document);
  const places: [JsonObject | Json[], string][] = [];
  const walk = (value: Json | undefined) => {
    if (!isObject(value) && !Array.isArray(value)) return;
    for (const key of Object.keys(value)) {
      places.push([value, key]);
      walk((value as JsonObject)[key]);
    }
  };
  walk(objectAt(copy, 'paths')['/ill']);
  walk(objectAt(copy, 'components'));
  const [holder, key] = places[place % places.length] ?? [{}, ''];
  if (by === undefined) delete (holder as JsonObject)[key];
  else (holder as JsonObject)[key] = by;
  return copy;
}

test('whatever one breaks, what comes out is valid, and operations that nobody broke stay as they are', async (t) => {
  const sound = smallDocument(['/well', '/ill']);
  const schemas = {
    Error: {
      type: 'object',
      required: ['a'],
      properties: { a: { type: 'string', enum: ['x'] }, b: { $ref: '#/components/schemas/Error' } },
    },
  };
  const value = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom<Json>(null, true, -1, '', 'x', '$ref', [], {}, [1], ['x'], { $ref: '#/nowhere' }, { type: 'int' }),
  );
  let repairedOnes = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(), value), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (breaks, old) => {
        let document: JsonObject = { ...sound, openapi: old ? '3.0.3' : '3.1.0', components: { schemas } };
        for (const [place, by] of breaks) document = broken(document, place, by);
        try {
          const repaired = await repairAndNormalise(document);
          await assertValidOpenApi(t, repaired.document);
          const operation = objectAt(objectAt(objectAt(repaired.document, 'paths'), '/well'), 'get');
          t.is(operation.operationId, 'readwell');
          if (repaired.notes.length > 0) repairedOnes += 1;
        } catch (error) {
          t.true(isMcpError(error), String(error));
        }
      },
    ),
    { numRuns: Number(process.env.FC_RUNS ?? 50) },
  );
  t.true(repairedOnes > 10, `${repairedOnes} repaired`);
});
