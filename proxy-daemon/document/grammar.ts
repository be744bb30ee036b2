import { escapeToken, isObject, type Json, type JsonObject } from './json.ts';

/**
 * What stands where in an OpenAPI 3.0 or 3.1 document. Everything that rewrites documents goes through `transform`, so
 * that a `$ref` in an example, a default, an enum or a property that happens to be named `$ref` is data and stays as it is.
 * Pure.
 */

export type Kind =
  | 'document'
  | 'components'
  | 'pathItem'
  | 'operation'
  | 'parameter'
  | 'requestBody'
  | 'mediaType'
  | 'encoding'
  | 'response'
  | 'header'
  | 'example'
  | 'link'
  | 'callback'
  | 'schema'
  | 'securityScheme';

/** `patterned` is a map whose keys that begin with `x-` are extensions. */
type Shape = readonly ['one' | 'list' | 'map' | 'patterned', Kind];

/** Keywords of JSON Schema that hold schemas: by name, in a list, or one. */
export const schemaKeywords = {
  maps: ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'],
  lists: ['allOf', 'anyOf', 'oneOf', 'prefixItems'],
  ones: [
    'items',
    'additionalProperties',
    'unevaluatedItems',
    'unevaluatedProperties',
    'not',
    'if',
    'then',
    'else',
    'contains',
    'propertyNames',
    'contentSchema',
  ],
} as const;

/** The sections of `components`, with the kind that each holds. */
export const componentKinds = {
  schemas: 'schema',
  responses: 'response',
  parameters: 'parameter',
  examples: 'example',
  requestBodies: 'requestBody',
  headers: 'header',
  securitySchemes: 'securityScheme',
  links: 'link',
  callbacks: 'callback',
  pathItems: 'pathItem',
} as const satisfies Record<string, Kind>;
export type ComponentSection = keyof typeof componentKinds;
export const componentSections = Object.keys(componentKinds) as ComponentSection[];

/** The methods a path item may have. */
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;
export type Method = (typeof methods)[number];

const content: [string, Shape][] = [
  ['schema', ['one', 'schema']],
  ['content', ['map', 'mediaType']],
  ['examples', ['map', 'example']],
];

const fields: Record<Kind, ReadonlyMap<string, Shape>> = {
  document: new Map<string, Shape>([
    ['paths', ['patterned', 'pathItem']],
    ['webhooks', ['map', 'pathItem']],
    ['components', ['one', 'components']],
  ]),
  components: new Map(
    Object.entries(componentKinds).map(([section, kind]): [string, Shape] => [section, ['map', kind]]),
  ),
  pathItem: new Map<string, Shape>([
    ['parameters', ['list', 'parameter']],
    ...methods.map((method): [string, Shape] => [method, ['one', 'operation']]),
  ]),
  operation: new Map<string, Shape>([
    ['parameters', ['list', 'parameter']],
    ['requestBody', ['one', 'requestBody']],
    ['responses', ['patterned', 'response']],
    ['callbacks', ['map', 'callback']],
  ]),
  parameter: new Map(content),
  header: new Map(content),
  requestBody: new Map<string, Shape>([['content', ['map', 'mediaType']]]),
  mediaType: new Map<string, Shape>([
    ['schema', ['one', 'schema']],
    ['examples', ['map', 'example']],
    ['encoding', ['map', 'encoding']],
  ]),
  encoding: new Map<string, Shape>([['headers', ['map', 'header']]]),
  response: new Map<string, Shape>([
    ['headers', ['map', 'header']],
    ['content', ['map', 'mediaType']],
    ['links', ['map', 'link']],
  ]),
  example: new Map(),
  link: new Map(),
  // Its own keys are the expressions; see `transform`.
  callback: new Map(),
  securityScheme: new Map(),
  schema: new Map<string, Shape>([
    ...schemaKeywords.maps.map((key): [string, Shape] => [key, ['map', 'schema']]),
    ...schemaKeywords.lists.map((key): [string, Shape] => [key, ['list', 'schema']]),
    ...schemaKeywords.ones.map((key): [string, Shape] => [key, ['one', 'schema']]),
  ]),
};

/** True where the object is a reference of its kind: a `$ref` string at a place where OpenAPI allows one. */
export function isReference(node: JsonObject, kind: Kind): node is JsonObject & { $ref: string } {
  return typeof node.$ref === 'string' && kind !== 'document' && kind !== 'components' && kind !== 'operation';
}

/**
 * Replaces one object of the document. `at` is its JSON Pointer. Called before the object's children are; what it
 * returns is walked instead.
 */
export type Visit = (node: JsonObject, kind: Kind, at: string) => JsonObject;

/** Copies the document with every object replaced by what `visit` makes of it. Values that are data are shared, not copied. */
export function transform(node: JsonObject, kind: Kind, visit: Visit, at = ''): JsonObject {
  const seen = visit(node, kind, at);
  if (isReference(seen, kind) && kind !== 'schema' && kind !== 'pathItem') return seen;
  const copy: JsonObject = {};
  for (const key of Object.keys(seen)) {
    const value = seen[key];
    if (value === undefined) continue;
    // Data, most values of which are texts, has no place that anyone asks for.
    const shape = typeof value === 'object' ? shapeOf(kind, key) : undefined;
    copy[key] = shape === undefined ? value : transformChild(value, shape, visit, `${at}/${escapeToken(key)}`);
  }
  return copy;
}

/** What the field of an object of this kind holds, or undefined where it is data. */
export function shapeOf(kind: Kind, key: string): Shape | undefined {
  if (kind === 'callback') return key.startsWith('x-') || key === '$ref' ? undefined : ['one', 'pathItem'];
  return fields[kind].get(key);
}

function transformChild(value: Json, [form, kind]: Shape, visit: Visit, at: string): Json {
  if (Array.isArray(value)) {
    // `items` of Swagger-style tuples is a list although declared as one schema.
    if (form !== 'list' && form !== 'one') return value;
    return value.map((item, index) => (isObject(item) ? transform(item, kind, visit, `${at}/${index}`) : item));
  }
  if (!isObject(value)) return value;
  if (form === 'one') return transform(value, kind, visit, at);
  if (form === 'list') return value;
  const copy: JsonObject = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (item === undefined) continue;
    const extension = form === 'patterned' && key.startsWith('x-');
    copy[key] = isObject(item) && !extension ? transform(item, kind, visit, `${at}/${escapeToken(key)}`) : item;
  }
  return copy;
}

/** Visits every object of the document without copying it. */
export function visitAll(node: JsonObject, kind: Kind, look: (node: JsonObject, kind: Kind, at: string) => void): void {
  transform(node, kind, (seen, seenKind, at) => {
    look(seen, seenKind, at);
    return seen;
  });
}

/** The operations of a path item, in the order in which OpenAPI lists methods. */
export function operationsOf(item: JsonObject): [Method, JsonObject][] {
  return methods.flatMap((method): [Method, JsonObject][] => {
    const operation = item[method];
    return isObject(operation) ? [[method, operation]] : [];
  });
}
