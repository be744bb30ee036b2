import { Validator } from '@seriousme/openapi-schema-validator';
import type { ExecutionContext } from 'ava';
import { isObject, type Json, type JsonObject } from '../../proxy-daemon/document/json.ts';

/** By a validator that shares nothing with ours. It follows whatever looks like a reference, also in data: that is taken out. */
export async function assertValidOpenApi(t: ExecutionContext, document: JsonObject): Promise<void> {
  const { valid, errors } = await new Validator().validate(withoutData(document) as Record<string, unknown>);
  t.true(valid, `${JSON.stringify(errors)?.slice(0, 500)} in ${JSON.stringify(document).slice(0, 1500)}`);
}

const maps = new Set(['properties', 'patternProperties', '$defs', 'schemas', 'responses', 'headers', 'examples']);

function withoutData(value: Json, inMap = false): Json {
  if (Array.isArray(value)) return value.map((item) => withoutData(item));
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([key]) => inMap || !(key === 'example' || key.startsWith('x-')));
  return Object.fromEntries(
    kept.map(([key, item = null]) => {
      // A property that happens to be named like a keyword.
      if (inMap && (key === '$ref' || key === '$id')) return [`named ${key}`, item];
      if (!inMap && ['default', 'const', 'value', 'enum'].includes(key))
        return [key, Array.isArray(item) ? ['data'] : 'data'];
      if (!inMap && key === 'examples' && Array.isArray(item)) return [key, []];
      return [key, withoutData(item, !inMap && maps.has(key))];
    }),
  );
}
