import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { parse } from 'yaml';
import { isReference, visitAll } from '../../../proxy-daemon/document/grammar.ts';
import { isObject, type JsonObject, objectAt } from '../../../proxy-daemon/document/json.ts';
import { fillFrame } from '../../../proxy-daemon/document/merge.ts';
import { rewriteOpenApi3, validateDocument } from '../../../proxy-daemon/document/normalise.ts';
import { runOf } from '../../../proxy-daemon/document/part-groups.ts';
import { serviceFragment } from '../../../proxy-daemon/document/service-fragment.ts';
import { type Form, serviceForms } from '../../../proxy-daemon/document/service-part.ts';
import { writeFragmentJson, writeFragmentYaml } from '../../../proxy-daemon/document/write-fragment.ts';
import { openApiDocument } from '../../helpers/openapi-arbitrary.ts';
import { assertSameMeaning, resolveRef } from '../../helpers/openapi-meaning.ts';

const services = ['dns', 'pet', 'error'];

function merged(documents: JsonObject[]): { json: JsonObject; yaml: () => JsonObject } {
  const parts = documents.map((document, index) => {
    const service = services[index] ?? `s${index}`;
    const versions = [{ version: '1.0.0', document: rewriteOpenApi3(document) }];
    const fragment = serviceFragment(service, `/${service}`, versions, []);
    const pieces = { json: writeFragmentJson(service, fragment), yaml: writeFragmentYaml(service, fragment), list: {} };
    return { part: { digest: '', service, told: '', shown: null }, pieces };
  });
  const textOf = (form: Form | undefined) => {
    if (form === undefined) throw new Error('no such form');
    const run = (section: string) => runOf(form, section, parts);
    const frame = form.frame({ title: 'All', description: '' }, (section) => run(section).length > 0);
    return Buffer.concat(fillFrame(frame, run).map(({ text }) => text)).toString();
  };
  const [json, yaml] = serviceForms;
  return {
    json: JSON.parse(textOf(json)) as JsonObject,
    yaml: () => parse(textOf(yaml), { maxAliasCount: 0 }) as JsonObject,
  };
}

const some = {
  numRuns: Number(process.env.FC_RUNS ?? 60),
  includeErrorInReport: true,
  interruptAfterTimeLimit: 60_000,
};

test('every reference in a merged document leads somewhere, and its names are unique', async (t) => {
  fc.assert(
    fc.property(fc.array(openApiDocument, { minLength: 1, maxLength: 3 }), (documents) => {
      const { json } = merged(documents);
      const ids: string[] = [];
      visitAll(json, 'document', (node, kind, at) => {
        if (isReference(node, kind)) assert.ok(resolveRef(json, node.$ref), `${at}: ${node.$ref}`);
        if (kind === 'operation' && typeof node.operationId === 'string') ids.push(node.operationId);
      });
      t.is(new Set(ids).size, ids.length);
      const tags = Array.isArray(json.tags) ? json.tags.map((tag) => (isObject(tag) ? tag.name : tag)) : [];
      t.is(new Set(tags).size, tags.length);
    }),
    some,
  );
});

test('every operation keeps its own meaning when documents with the same names are merged', async (t) => {
  fc.assert(
    fc.property(fc.array(openApiDocument, { minLength: 2, maxLength: 3 }), (documents) => {
      const { json } = merged(documents);
      documents.forEach((document, index) => {
        const route = `/${services[index]}`;
        const a = { document, original: (place: { path: string; method: string }) => place };
        const b = {
          document: json,
          original: ({ path, method }: { path: string; method: string }) => ({
            path: path.slice(route.length),
            method,
          }),
        };
        for (const [path, item] of Object.entries(objectAt(document, 'paths'))) {
          const other = objectAt(objectAt(json, 'paths'), route + path);
          for (const [method, operation] of Object.entries(isObject(item) ? item : {})) {
            const whole = isObject(operation) && { ...operation, security: operation.security ?? document.security };
            assertSameMeaning(a, b, whole || undefined, other[method], `${method} ${path}`);
          }
        }
      });
      t.pass();
    }),
    some,
  );
});

test('the merged document is valid OpenAPI 3.1, and its YAML says the same as its JSON', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(openApiDocument, { maxLength: 3 }), async (documents) => {
      const { json, yaml } = merged(documents);
      validateDocument(json);
      t.deepEqual(yaml(), json);
    }),
    { ...some, numRuns: Math.ceil(some.numRuns / 3) },
  );
});
