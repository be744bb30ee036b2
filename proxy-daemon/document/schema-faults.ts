import { type Kind, transform } from './grammar.ts';
import { entriesOf, isObject, type JsonObject, objectAt } from './json.ts';

/**
 * A copy of a 3.1 document for validation only, without what the JSON Schema that the validator brings (2021-04-15)
 * wrongly refuses; each was corrected in later editions of that schema. Path items that are references are another such
 * case: placePathItems takes care of those. Other documents are returned as they are. Pure.
 */
export function withoutSchemaFaults(document: JsonObject): JsonObject {
  if (typeof document.openapi !== 'string' || !document.openapi.startsWith('3.1.')) return document;
  return transform(document, 'document', (node, kind) => allowed[kind]?.(node) ?? node);
}

const allowed: Partial<Record<Kind, (node: JsonObject) => JsonObject>> = {
  // A license needs only a name; the schema wants a url or an identifier too.
  document: (node) => {
    const { license, ...info } = objectAt(node, 'info');
    const named = isObject(license) && typeof license.name === 'string' && license.url === undefined;
    return named ? { ...node, info } : node;
  },
  // The field is `server`, not `body`, and parameters may be any values.
  link: ({ server, parameters, ...node }) => {
    const texts = isObject(parameters) && entriesOf(parameters).map(([name, value]) => [name, JSON.stringify(value)]);
    return {
      ...node,
      ...(texts ? { parameters: Object.fromEntries(texts) } : parameters === undefined ? {} : { parameters }),
    };
  },
  // Names of authentication schemes have no case.
  securityScheme: (node) => (typeof node.scheme === 'string' ? { ...node, scheme: node.scheme.toLowerCase() } : node),
};
