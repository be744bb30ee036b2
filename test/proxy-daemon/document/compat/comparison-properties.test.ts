import test from 'ava';
import fc from 'fast-check';
import { compareDocuments } from '../../../../proxy-daemon/document/compat/compare-documents.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt } from '../../../../proxy-daemon/document/json.ts';
import { rewriteOpenApi3 } from '../../../../proxy-daemon/document/normalise.ts';
import { object, oneOperation, query } from '../../../helpers/change-cases.ts';
import { openApiDocument } from '../../../helpers/openapi-arbitrary.ts';
import { accepts, smallSchema, smallValue } from '../../../helpers/schema-oracle.ts';

const runs = { numRuns: Number(process.env.RUNS ?? 40) };

/** What is worse than safe. */
function troubles(live: JsonObject, next: JsonObject): string[] {
  return compareDocuments(live, next).flatMap(({ severity, kind, words }) =>
    severity === 'safe' ? [] : [`${kind}: ${words}`],
  );
}

const request = (schema: Json) => oneOperation(schema, {});
const response = (schema: Json) => oneOperation({}, schema);

test('a document against itself, or a copy of itself, has no findings, whatever is in it', (t) => {
  fc.assert(
    fc.property(openApiDocument, (document) => {
      const normalised = rewriteOpenApi3(document);
      t.deepEqual(compareDocuments(normalised, normalised), []);
      t.deepEqual(compareDocuments(normalised, structuredClone(normalised)), []);
    }),
    { numRuns: Number(process.env.RUNS ?? 40) },
  );
});

test('any two documents can be compared, and in the same way each time', (t) => {
  fc.assert(
    fc.property(openApiDocument, openApiDocument, (a, b) => {
      const [live, next] = [rewriteOpenApi3(a), rewriteOpenApi3(b)];
      t.deepEqual(compareDocuments(live, next), compareDocuments(structuredClone(live), structuredClone(next)));
    }),
    { numRuns: 30 },
  );
});

test('where all is safe, everything that could be sent can still be sent', (t) => {
  let safe = 0;
  fc.assert(
    fc.property(smallSchema, smallSchema, fc.array(smallValue, { maxLength: 30 }), (live, next, values) => {
      if (compareDocuments(request(live), request(next)).length > 0) return;
      safe++;
      for (const value of values)
        if (accepts(live, value)) t.true(accepts(next, value), JSON.stringify([live, next, value]));
    }),
    { numRuns: 800 },
  );
  t.true(safe > 20, `${safe} pairs of schemas fit`);
});

test('where all is safe, nothing comes back that could not come back before', (t) => {
  let safe = 0;
  fc.assert(
    fc.property(smallSchema, smallSchema, fc.array(smallValue, { maxLength: 30 }), (live, next, values) => {
      if (compareDocuments(response(live), response(next)).length > 0) return;
      safe++;
      for (const value of values)
        if (accepts(next, value) && !hasOneOf(live)) t.true(accepts(live, value), JSON.stringify([live, next, value]));
    }),
    { numRuns: 800 },
  );
  t.true(safe > 20, `${safe} pairs of schemas fit`);
});

/** That two alternatives of `oneOf` match at once is looked at only for what is sent. */
function hasOneOf(schema: Json): boolean {
  return JSON.stringify(schema).includes('"oneOf"');
}

test('a schema that fits one way as what is sent fits the other way as what comes back', (t) => {
  fc.assert(
    fc.property(smallSchema, smallSchema, (a, b) => {
      fc.pre(!JSON.stringify([a, b]).includes('properties') && !hasOneOf([a, b]));
      const there = troubles(request(a), request(b));
      const back = troubles(response(b), response(a));
      t.is(there.length === 0, back.length === 0, JSON.stringify([a, b, there, back]));
    }),
    runs,
  );
});

test('one more value, alternative, or wider type may be sent, and a breaking change is never safe both ways', (t) => {
  fc.assert(
    fc.property(smallSchema, smallSchema, (a, b) => {
      t.deepEqual(troubles(request(a), request({ anyOf: [b, a] })), [], JSON.stringify([a, b]));
      t.deepEqual(troubles(response({ anyOf: [b, a] }), response(a)), [], JSON.stringify([a, b]));
    }),
    runs,
  );
});

test('adding optional things to any document is safe', (t) => {
  fc.assert(
    fc.property(openApiDocument, smallSchema, (document, schema) => {
      const live = rewriteOpenApi3(document);
      t.deepEqual(troubles(live, extended(live, schema)), []);
    }),
    { numRuns: Number(process.env.RUNS ?? 40) },
  );
});

/** A new operation, and in each operation an optional parameter, another error and another way in. */
function extended(document: JsonObject, schema: JsonObject): JsonObject {
  const paths = entriesOf(objectAt(document, 'paths')).map(([path, item]) => [
    path,
    isObject(item)
      ? Object.fromEntries(
          entriesOf(item).map(([method, operation]) => [
            method,
            isObject(operation) ? extendedOperation(operation, schema) : operation,
          ]),
        )
      : item,
  ]);
  return {
    ...document,
    paths: { ...Object.fromEntries(paths), '/quite/new': { get: { responses: { '200': { description: 'New' } } } } },
  };
}

function extendedOperation(operation: JsonObject, schema: JsonObject): JsonObject {
  const parameters = Array.isArray(operation.parameters) ? operation.parameters : [];
  const responses = objectAt(operation, 'responses');
  return {
    ...operation,
    parameters: [...parameters, query('quite-new', { schema })],
    // Beside `default`, it would be an error that was described until now.
    responses: Object.hasOwn(responses, 'default') ? responses : { '418': { description: 'New' }, ...responses },
  };
}

test('an operation, a required parameter or a required field put into any document at any place is found there', (t) => {
  fc.assert(
    fc.property(openApiDocument, (document) => {
      const live = rewriteOpenApi3(document);
      const paths = objectAt(live, 'paths');
      const { '/things': things, ...others } = paths;
      const { get, ...rest } = isObject(things) ? things : {};
      const gone = { ...live, paths: { ...others, '/things': rest } };
      t.true(
        compareDocuments(live, gone).some(
          ({ kind, where }) => kind === 'operation-removed' && where.live === '/paths/~1things/get',
        ),
      );
      if (!isObject(get)) return;
      const needs = {
        ...get,
        parameters: [...(Array.isArray(get.parameters) ? get.parameters : []), query('needed', { required: true })],
      };
      const stricter = { ...live, paths: { ...paths, '/things': { ...rest, get: needs } } };
      t.true(
        compareDocuments(live, stricter).some(
          ({ kind, severity }) => kind === 'parameter-required-added' && severity === 'breaking',
        ),
      );
    }),
    { numRuns: Number(process.env.RUNS ?? 40) },
  );
  fc.assert(
    fc.property(smallSchema, fc.constantFrom('a', 'zz'), (schema, name) => {
      const before = object({ inner: schema });
      const after = object({ inner: schema, [name]: schema }, [name]);
      t.deepEqual(
        compareDocuments(request({ type: 'array', items: before }), request({ type: 'array', items: after })).map(
          ({ kind }) => kind,
        ),
        ['request-property-required-added'],
      );
    }),
    runs,
  );
});
