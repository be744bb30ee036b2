import { isObject, type Json, type JsonObject } from '../json.ts';

/** The types of JSON as bits, so that they can be joined and cut. `integer` is the part of `number` that is whole. Pure. */

const bits = { null: 1, boolean: 2, object: 4, array: 8, string: 16, integer: 32, fraction: 64 } as const;

export const typeBits = { ...bits, number: bits.integer | bits.fraction } as const;
export const allTypes = 127;

/** The types that a schema object itself allows. */
export function typesOf(schema: JsonObject): number {
  return declaredTypes(schema) & valueTypes(schema);
}

function declaredTypes(schema: JsonObject): number {
  const { type } = schema;
  if (typeof type === 'string') return bitOf(type);
  if (Array.isArray(type)) return type.reduce((sum: number, name) => sum | bitOf(name), 0);
  // Authors who list properties mean an object, and items an array, although JSON Schema would let other types pass.
  if (isObject(schema.properties) || Object.hasOwn(schema, 'additionalProperties')) return typeBits.object;
  return schema.items === undefined && schema.prefixItems === undefined ? allTypes : typeBits.array;
}

function valueTypes(schema: JsonObject): number {
  if (schema.const !== undefined) return typeOfValue(schema.const);
  if (!Array.isArray(schema.enum)) return allTypes;
  return schema.enum.reduce((sum: number, value) => sum | typeOfValue(value), 0);
}

function bitOf(name: Json): number {
  return typeof name === 'string' && Object.hasOwn(typeBits, name) ? typeBits[name as keyof typeof typeBits] : 0;
}

export function typeOfValue(value: Json): number {
  if (value === null) return bits.null;
  if (Array.isArray(value)) return bits.array;
  if (typeof value === 'number') return Number.isInteger(value) ? bits.integer : bits.fraction;
  return bits[typeof value as 'boolean' | 'object' | 'string'];
}

/** The names in a set of types, as a schema's `type` would list them. */
export function typeNames(types: number): string[] {
  const names = ['null', 'boolean', 'object', 'array', 'string'].filter((name) => (types & bitOf(name)) !== 0);
  if ((types & typeBits.number) === typeBits.number) names.push('number');
  else if (types & bits.integer) names.push('integer');
  else if (types & bits.fraction) names.push('number');
  return names;
}

/** A set of types in words. */
export function typeWords(types: number): string {
  if (types === allTypes) return 'anything';
  return types === 0 ? 'nothing' : typeNames(types).join(' or ');
}
