/** The documents of `npm run bench -- document`, and the thread in which openapi-merge merges them. */
import { isMainThread, parentPort } from 'node:worker_threads';
import { isErrorResult, type MergeInput, merge } from 'openapi-merge';
import type { JsonObject } from '../../proxy-daemon/document/json.ts';

/** A document of some 22 KB: 24 operations with parameters and bodies, on a dozen schemas that refer to each other. */
export function documentOf(service: string, revision: number): JsonObject {
  const names = Array.from({ length: 12 }, (_, index) => `Thing${index}`);
  const ref = (name: string | undefined) => ({ $ref: `#/components/schemas/${name}` });
  const json = (schema: JsonObject) => ({ 'application/json': { schema } });
  const failed = { description: 'Failed', content: json(ref('Error')) };
  const operation = (name: string, index: number, more: JsonObject): JsonObject => ({
    operationId: `operation${index}`,
    summary: `Works on one ${name}`,
    description: `Revision ${revision} of ${service}. `.padEnd(
      240,
      'Some words that tell people what this operation does. ',
    ),
    tags: [index % 2 === 0 ? 'even' : 'odd'],
    parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', maxLength: 40 } }],
    responses: { '200': { description: 'Done', content: json(ref(name)) }, '404': failed, '500': failed },
    ...more,
  });
  const paths = names.map((name, index): [string, JsonObject] => [
    `/${name.toLowerCase()}/{id}`,
    {
      get: operation(name, index * 2, {}),
      put: operation(name, index * 2 + 1, { requestBody: { required: true, content: json(ref(name)) } }),
    },
  ]);
  const schemas = names.map((name, index): [string, JsonObject] => [
    name,
    {
      type: 'object',
      required: ['id'],
      properties: {
        id: { type: 'string' },
        count: { type: 'integer', minimum: 0, description: 'How many there are' },
        next: ref(names[(index + 1) % names.length]),
        all: { type: 'array', items: ref(names[(index + 5) % names.length]) },
      },
    },
  ]);
  return {
    openapi: '3.0.3',
    info: { title: service, version: `${revision}` },
    paths: Object.fromEntries(paths),
    components: {
      schemas: {
        ...Object.fromEntries(schemas),
        Error: { type: 'object', properties: { code: { type: 'string' }, message: { type: 'string' } } },
      },
    },
  };
}

/** Prepares the inputs that it is told of, and merges them when it is told to: gives the length of the text. */
if (!isMainThread) {
  let inputs: MergeInput = [];
  parentPort?.on('message', (told: 'merge' | { services: number; revisions: ReadonlyMap<string, number> }) => {
    if (told === 'merge') {
      const merged = merge(inputs);
      if (isErrorResult(merged)) throw new Error(merged.message);
      parentPort?.postMessage(JSON.stringify(merged.output).length);
      return;
    }
    inputs = Array.from({ length: told.services }, (_, index) => `service-${index}`).map((name) => ({
      oas: documentOf(name, told.revisions.get(name) ?? 0),
      pathModification: { prepend: `/${name}` },
      dispute: { prefix: name, alwaysApply: true },
    })) as unknown as MergeInput;
    parentPort?.postMessage('prepared');
  });
}
