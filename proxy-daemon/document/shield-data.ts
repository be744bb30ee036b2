import { entriesOf, type Json, type JsonObject } from './json.ts';

/**
 * swagger2openapi rewrites whatever looks like a reference, also inside examples, defaults and enums. Those are data: they
 * are hidden from it by another key, and shown again afterwards. Pure.
 */
const shielded = 'x-mcp-shielded-ref';

/** Fields of Swagger 2.0 that map names, so that a name such as `default` or `example` in them is no keyword. */
const maps = new Set(['properties', 'definitions', 'paths', 'securityDefinitions', 'headers', 'patternProperties']);
/** These map names only at the root or in an operation, but hold no data of their own elsewhere. */
const namedMaps = new Set(['responses', 'parameters']);
const data = new Set(['example', 'examples', 'default', 'enum']);

/** A deep copy without a `$ref` in its data. */
export function shieldData(document: JsonObject): JsonObject {
  return shieldObject(document);
}

/** The converted document with its data as it was. */
export function unshieldData(document: JsonObject): JsonObject {
  return renameDeep(document, shielded, '$ref') as JsonObject;
}

function shieldObject(node: JsonObject): JsonObject {
  const copy: JsonObject = {};
  for (const [key, value] of entriesOf(node)) {
    const isMap = (maps.has(key) || namedMaps.has(key)) && typeof value === 'object' && !Array.isArray(value);
    if (isMap && value !== null) copy[key] = shieldMap(value as JsonObject);
    else copy[key] = data.has(key) || key.startsWith('x-') ? renameDeep(value, '$ref', shielded) : shieldValue(value);
  }
  return copy;
}

function shieldMap(map: JsonObject): JsonObject {
  return Object.fromEntries(entriesOf(map).map(([name, value]) => [name, shieldValue(value)]));
}

function shieldValue(value: Json): Json {
  if (Array.isArray(value)) return value.map(shieldValue);
  return typeof value === 'object' && value !== null ? shieldObject(value) : value;
}

function renameDeep(value: Json, from: string, to: string): Json {
  if (Array.isArray(value)) return value.map((item) => renameDeep(item, from, to));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    entriesOf(value).map(([key, item]) => [key === from ? to : key, renameDeep(item, from, to)]),
  );
}
