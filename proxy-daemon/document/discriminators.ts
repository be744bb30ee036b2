import { type Kind, transform } from './grammar.ts';
import { entriesOf, fragmentToken, isObject, type Json, type JsonObject, objectAt, pointerTokens } from './json.ts';

/**
 * Spells out every discriminator's mapping. A value without a mapping means the schema of that name, so renaming a schema
 * would silently change what the value means; a mapping to a bare name would point nowhere. Pure.
 *
 * Wants a document whose references are local (see localiseRefs).
 */
export function spellOutDiscriminators(document: JsonObject): JsonObject {
  const schemas = objectAt(objectAt(document, 'components'), 'schemas');
  const heirs = findHeirs(schemas);
  return transform(document, 'document', (node: JsonObject, kind: Kind, at: string) => {
    if (kind !== 'schema' || !isObject(node.discriminator)) return node;
    const mapping: JsonObject = {};
    const mapped = new Set<string>();
    for (const [value, target] of entriesOf(objectAt(node.discriminator, 'mapping'))) {
      mapping[value] = typeof target === 'string' && Object.hasOwn(schemas, target) ? schemaRef(target) : target;
      mapped.add(String(mapping[value]));
    }
    for (const name of impliedNames(node, at, heirs)) {
      if (!mapped.has(schemaRef(name)) && !Object.hasOwn(mapping, name)) mapping[name] = schemaRef(name);
    }
    if (Object.keys(mapping).length === 0) return node;
    return { ...node, discriminator: { ...node.discriminator, mapping } };
  });
}

function impliedNames(node: JsonObject, at: string, heirs: ReadonlyMap<string, readonly string[]>): string[] {
  const alternatives = [node.oneOf, node.anyOf].filter(Array.isArray);
  if (alternatives.length > 0) {
    return alternatives.flat().flatMap((item) => schemaName(isObject(item) ? item.$ref : undefined) ?? []);
  }
  // A discriminator in a base schema stands for all schemas that are derived from it by allOf (3.1, Discriminator Object).
  const [root, section, name, ...rest] = pointerTokens(encodeURI(at));
  if (root !== 'components' || section !== 'schemas' || name === undefined || rest.length > 0) return [];
  const found = new Set<string>();
  const open = [name];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const heir of heirs.get(parent) ?? []) {
      if (heir === name || found.has(heir)) continue;
      found.add(heir);
      open.push(heir);
    }
  }
  return [...found];
}

function findHeirs(schemas: JsonObject): Map<string, string[]> {
  const heirs = new Map<string, string[]>();
  for (const [heir, schema] of entriesOf(schemas)) {
    const bases = isObject(schema) && Array.isArray(schema.allOf) ? schema.allOf : [];
    for (const base of bases) {
      const name = schemaName(isObject(base) ? base.$ref : undefined);
      if (name !== undefined) heirs.set(name, [...(heirs.get(name) ?? []), heir]);
    }
  }
  return heirs;
}

function schemaName(ref: Json | undefined): string | undefined {
  if (typeof ref !== 'string' || !ref.startsWith('#/components/schemas/')) return undefined;
  const tokens = pointerTokens(ref.slice(1));
  return tokens.length === 3 ? tokens[2] : undefined;
}

function schemaRef(name: string): string {
  return `#/components/schemas/${fragmentToken(name)}`;
}
