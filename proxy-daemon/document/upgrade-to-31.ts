import { isReference, type Kind, transform } from './grammar.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt } from './json.ts';

/**
 * OpenAPI 3.0 to 3.1, one rule a function. The rules are those of the OpenAPI Initiative's "Migrating from OpenAPI 3.0 to
 * 3.1.0" (February 2021) and the 3.1.0 release notes; each function cites its part. Where 3.0's letter and its common use
 * differ, common use wins, since a document says what its author meant. Pure; a 3.1 document is returned as it is.
 */
export function upgradeTo31(document: JsonObject): JsonObject {
  if (typeof document.openapi === 'string' && document.openapi.startsWith('3.1.')) return document;
  const upgraded = transform(document, 'document', upgradeObject);
  // Release notes, "Semantic versioning": 3.1 is not a superset of 3.0, so the number tells which rules hold.
  return { ...upgraded, openapi: '3.1.0' };
}

function upgradeObject(node: JsonObject, kind: Kind): JsonObject {
  if (isReference(node, kind)) return withoutReferenceSiblings(node, kind);
  if (kind === 'schema') return schemaRules.reduce((schema, rule) => rule(schema), node);
  if (kind === 'requestBody' || kind === 'response') return withBinaryContent(node);
  if (kind === 'mediaType') return withBinaryParts(node);
  return node;
}

/**
 * Release notes, "Schema Object: $ref siblings": JSON Schema 2020-12 applies the keywords next to a `$ref`, which 3.0
 * ignored. Those are dropped so that they do not begin to constrain; texts stay, as 3.1 shows them.
 */
function withoutReferenceSiblings(node: JsonObject & { $ref: string }, kind: Kind): JsonObject {
  if (kind === 'pathItem') return node;
  const kept: JsonObject = { $ref: node.$ref };
  if (typeof node.description === 'string') kept.description = node.description;
  if (typeof node.summary === 'string' && kind !== 'schema') kept.summary = node.summary;
  return kept;
}

const schemaRules: ((schema: JsonObject) => JsonObject)[] = [nullable, exclusiveBounds, exampleList, contentKeywords];

/**
 * Migration guide, "Swap nullable for type arrays". Without a `type` next to it, 3.0.3 gives `nullable` no effect, but its
 * common use beside allOf, oneOf or anyOf means "or null", and is kept so.
 */
function nullable(schema: JsonObject): JsonObject {
  if (!Object.hasOwn(schema, 'nullable')) return schema;
  const { nullable: flag, ...rest } = schema;
  if (flag !== true) return rest;
  if (typeof rest.type === 'string') return { ...rest, type: [rest.type, 'null'] };
  const orNull: JsonObject = { type: 'null' };
  for (const key of ['anyOf', 'oneOf']) {
    const list = rest[key];
    if (Array.isArray(list)) return { ...rest, [key]: [...list, orNull] };
  }
  const { allOf, ...others } = rest;
  return Array.isArray(allOf) ? { ...others, anyOf: [{ allOf }, orNull] } : rest;
}

/** Migration guide, "Modify usage of exclusiveMinimum and exclusiveMaximum": booleans beside a bound become the bound. */
export function exclusiveBounds(schema: JsonObject): JsonObject {
  let changed = schema;
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (typeof changed[exclusive] !== 'boolean') continue;
    const { [exclusive]: flag, [bound]: limit, ...rest } = changed;
    if (limit === undefined) changed = rest;
    else changed = flag ? { ...rest, [exclusive]: limit } : { ...rest, [bound]: limit };
  }
  return changed;
}

/** Migration guide, "Replace example with examples" inside schemas (parameters and media types keep both forms in 3.1). */
function exampleList(schema: JsonObject): JsonObject {
  if (!Object.hasOwn(schema, 'example')) return schema;
  const { example, ...rest } = schema;
  return example === undefined ? rest : { ...rest, examples: [example] };
}

/**
 * Migration guide, "Describing file upload payloads": base64 is `contentEncoding`. `format` stays as an annotation,
 * which 2020-12 allows and code generators read.
 */
function contentKeywords(schema: JsonObject): JsonObject {
  return schema.type === 'string' && (schema.format === 'byte' || schema.format === 'base64')
    ? { ...schema, contentEncoding: 'base64' }
    : schema;
}

/** Migration guide, "Describing file upload payloads": a whole body of raw bytes has a content type and needs no schema of its own. */
function withBinaryContent(node: JsonObject): JsonObject {
  const content = objectAt(node, 'content');
  let changed = false;
  const copy: JsonObject = {};
  for (const [type, media] of entriesOf(content)) {
    copy[type] = media;
    if (!isObject(media) || !isBinary(media.schema)) continue;
    const schema = media.schema as JsonObject;
    copy[type] = { ...media, schema: { ...schema, contentMediaType: type.split(';')[0] ?? type } };
    changed = true;
  }
  return changed ? { ...node, content: copy } : node;
}

/** Migration guide, "Describing file upload payloads": file parts of a multipart body. */
function withBinaryParts(media: JsonObject): JsonObject {
  if (!isObject(media.schema) || isReference(media.schema, 'schema')) return media;
  const properties = objectAt(media.schema, 'properties');
  const binary = entriesOf(properties).filter(([, property]) => isBinary(property));
  if (binary.length === 0) return media;
  const parts = binary.map(([name, property]): [string, Json] => [
    name,
    { ...(property as JsonObject), contentMediaType: 'application/octet-stream' },
  ]);
  return { ...media, schema: { ...media.schema, properties: { ...properties, ...Object.fromEntries(parts) } } };
}

function isBinary(schema: Json | undefined): boolean {
  return isObject(schema) && schema.type === 'string' && schema.format === 'binary';
}
