import type { Json, JsonObject } from '../../proxy-daemon/document/json.ts';

/** Small documents with one POST operation, for comparing what one change does. */

/** A POST /things that takes and gives these schemas; `more` goes into the operation. */
export function oneOperation(
  request: Json,
  response: Json,
  more: JsonObject = {},
  schemas: JsonObject = {},
): JsonObject {
  const json = (schema: Json): JsonObject => ({ content: { 'application/json': { schema } } });
  return withOperation(
    { requestBody: json(request), responses: { '200': { description: 'Fine', ...json(response) } }, ...more },
    { components: { schemas } },
  );
}

/** A document with this POST /things. */
export function withOperation(operation: JsonObject, more: JsonObject = {}): JsonObject {
  return {
    openapi: '3.1.0',
    info: { title: 'Things', version: '1' },
    paths: { '/things': { post: { responses: { '204': { description: 'Done' } }, ...operation } } },
    ...more,
  };
}

/** An object schema. */
export function object(properties: JsonObject, required: string[] = [], more: JsonObject = {}): JsonObject {
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}), ...more };
}

/** A query parameter. */
export function query(name: string, more: JsonObject = {}): JsonObject {
  return { name, in: 'query', schema: { type: 'string' }, ...more };
}
