import fc from 'fast-check';
import { isObject, type Json, type JsonObject, objectAt } from '../../proxy-daemon/document/json.ts';
import { canonicalJson } from '../../specs/canonical-json.ts';

/** What schemas mean, value by value: knows nothing of how they are compared. Small schemas and values that often fit them. */

/** True where the value satisfies the schema, as far as the keywords that `smallSchema` uses. */
export function accepts(schema: Json, value: Json): boolean {
  if (typeof schema === 'boolean') return schema;
  if (!isObject(schema)) return false;
  return (
    acceptsType(schema, value) &&
    acceptsValue(schema, value) &&
    acceptsSize(schema, value) &&
    (!isObject(value) || acceptsObject(schema, value)) &&
    (!Array.isArray(value) || value.every((item) => accepts(schema.items ?? true, item))) &&
    acceptsAlternatives(schema, value)
  );
}

function acceptsType(schema: JsonObject, value: Json): boolean {
  const types = Array.isArray(schema.type) ? schema.type : schema.type === undefined ? undefined : [schema.type];
  return !types || types.some((type) => typeNamesOf(value).includes(String(type)));
}

function typeNamesOf(value: Json): string[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  if (typeof value === 'number') return Number.isInteger(value) ? ['integer', 'number'] : ['number'];
  return [typeof value];
}

function acceptsValue(schema: JsonObject, value: Json): boolean {
  const text = canonicalJson(value);
  if (schema.const !== undefined && canonicalJson(schema.const) !== text) return false;
  return !Array.isArray(schema.enum) || schema.enum.some((each) => canonicalJson(each) === text);
}

function acceptsSize(schema: JsonObject, value: Json): boolean {
  const within = (size: number, least: Json | undefined, most: Json | undefined) =>
    (typeof least !== 'number' || size >= least) && (typeof most !== 'number' || size <= most);
  if (typeof value === 'number') {
    const above = typeof schema.exclusiveMinimum !== 'number' || value > schema.exclusiveMinimum;
    return above && within(value, schema.minimum, schema.maximum);
  }
  if (typeof value === 'string') return within(value.length, schema.minLength, schema.maxLength);
  return !Array.isArray(value) || within(value.length, schema.minItems, schema.maxItems);
}

function acceptsObject(schema: JsonObject, value: JsonObject): boolean {
  const properties = objectAt(schema, 'properties');
  const required = Array.isArray(schema.required) ? schema.required : [];
  return (
    required.every((name) => Object.hasOwn(value, String(name))) &&
    Object.entries(value).every(([name, item]) =>
      accepts(
        Object.hasOwn(properties, name) ? (properties[name] ?? true) : (schema.additionalProperties ?? true),
        item ?? null,
      ),
    )
  );
}

function acceptsAlternatives(schema: JsonObject, value: Json): boolean {
  const count = (list: Json | undefined) =>
    Array.isArray(list) ? list.filter((each) => accepts(each, value)).length : undefined;
  const all = Array.isArray(schema.allOf) ? schema.allOf : [];
  const any = count(schema.anyOf);
  const one = count(schema.oneOf);
  return all.every((each) => accepts(each, value)) && any !== 0 && (one === undefined || one === 1);
}

const scalar: fc.Arbitrary<Json> = fc.constantFrom<Json>(null, true, false, 0, 1, 2, 3, 1.5, '', 'a', 'ab', 'abc');
const names = ['a', 'b', 'c'];

/** Values of few kinds, so that any two schemas tell some of them apart. */
export const smallValue: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 3 }),
  ),
})).value;

const number = fc.constantFrom(0, 1, 2);
const scalarSchema: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.constant<JsonObject>({}),
  fc.record({ type: fc.constantFrom('string', 'integer', 'number', 'boolean', 'null') }),
  fc.record({
    type: fc.uniqueArray(fc.constantFrom('string', 'integer', 'null', 'boolean'), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ enum: fc.uniqueArray(scalar, { minLength: 1, maxLength: 3 }) }),
  fc.record({ const: scalar }),
  fc.record(
    { type: fc.constant('string'), minLength: number, maxLength: number.map((most) => most + 1) },
    { requiredKeys: ['type'] },
  ),
  fc.record(
    {
      type: fc.constantFrom('integer', 'number'),
      minimum: number,
      exclusiveMinimum: number,
      maximum: number.map((most) => most + 1),
    },
    { requiredKeys: ['type'] },
  ),
);

/** Schemas of the keywords that `accepts` knows. Objects say whether others than the listed properties may be there. */
export const smallSchema: fc.Arbitrary<JsonObject> = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalarSchema,
    fc.record(
      { type: fc.constant('array'), items: tie('schema'), minItems: number, maxItems: number },
      { requiredKeys: ['type'] },
    ),
    fc
      .record({
        properties: fc.dictionary(fc.constantFrom(...names), tie('schema'), { maxKeys: 2 }),
        required: fc.subarray(names, { maxLength: 2 }),
        additionalProperties: fc.oneof(fc.constant<Json>(false), tie('schema')),
      })
      .map((schema): JsonObject => ({ type: 'object', ...schema })),
    fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
  ) as fc.Arbitrary<JsonObject>,
})).schema;
