import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { compareDocuments } from '../../../../proxy-daemon/document/compat/compare-documents.ts';
import { isReference, operationsOf, transform } from '../../../../proxy-daemon/document/grammar.ts';
import { isObject, type JsonObject, objectAt, pointerTokens, valueAt } from '../../../../proxy-daemon/document/json.ts';
import { rewriteOpenApi3 } from '../../../../proxy-daemon/document/normalise.ts';
import { publishedDocuments } from '../../../helpers/wild-documents.ts';

const generated = join(dirname(fileURLToPath(import.meta.resolve('@octokit/openapi/package.json'))), 'generated');

async function read(file: string): Promise<JsonObject> {
  return rewriteOpenApi3(JSON.parse(await readFile(file, 'utf8')) as JsonObject);
}

/** CPU seconds, which a busy machine does not stretch much. */
function cpuSecondsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return process.cpuUsage(before).user / 1e6;
}

test('the largest public documents have no findings against copies of themselves, in seconds of work', async (t) => {
  for (const { name, file } of publishedDocuments().slice(0, 2)) {
    const document = await read(file);
    const copy = structuredClone(document);
    const seconds = cpuSecondsOf(() => t.deepEqual(compareDocuments(document, copy), [], name));
    t.true(seconds < 15, `${name} took ${seconds} s`);
  }
});

test('a document says the same where the schemas of all bodies are written out in place of references', async (t) => {
  for (const { name, file } of publishedDocuments().slice(1, 3)) {
    const document = await read(file);
    const unrolled = transform(document, 'document', (node, kind, at) => {
      if (!isReference(node, kind) || !/\/content\/[^/]+\/schema$/.test(at)) return node;
      const target = valueAt(document, pointerTokens(node.$ref.slice(1)));
      return isObject(target) ? { ...target, title: 'unrolled' } : node;
    });
    t.deepEqual(compareDocuments(document, unrolled), [], name);
  }
});

test('between two releases of an API, every operation that came or went is found, and nothing crashes', async (t) => {
  const [live, next] = await Promise.all(
    ['ghes-3.17.json', 'ghes-3.18.json'].map((name) => read(join(generated, name))),
  );
  if (!live || !next) return t.fail();
  const findings = compareDocuments(live, next);
  const before = operations(live);
  const after = operations(next);
  const named = (kind: string) =>
    findings
      .filter((found) => found.kind === kind)
      .flatMap(({ where }) =>
        where.operations.map(({ method, path }) => `${method} ${path.replace(/\{[^{}]*\}/g, '{}')}`),
      )
      .sort();
  t.deepEqual(named('operation-removed'), before.filter((name) => !after.includes(name)).sort());
  t.deepEqual(named('operation-added'), after.filter((name) => !before.includes(name)).sort());
  t.true(findings.every(({ words, source }) => words !== '' && source !== ''));
});

function operations(document: JsonObject): string[] {
  return Object.entries(objectAt(document, 'paths')).flatMap(([path, item]) =>
    isObject(item) ? operationsOf(item).map(([method]) => `${method} ${path.replace(/\{[^{}]*\}/g, '{}')}`) : [],
  );
}
