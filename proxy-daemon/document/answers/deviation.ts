/**
 * Whether a value has the shape that a schema asks for: its types, its properties, its listed values. What is not shape (patterns,
 * formats, limits of numbers and lengths) is passed over: patterns are a service's own and could take forever. Pure.
 */
import { canonicalJson } from '../../../specs/canonical-json.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt, pointerTokens, valueAt } from '../json.ts';

/** What differs, and where: never a value, nor a name that the schema does not list, since those may be secrets. */
export interface Deviation {
  /** JSON Pointer into the value, with `*` for names that are not listed; empty: the whole. */
  where: string;
  expected: string;
  found: string;
}

/** More than these are no schema, or no answer, that anybody compares. */
const mostSteps = 100_000;
const mostReferences = 30;

/** Thrown where it takes too long to tell. */
export class TooManySteps extends Error {}

interface Walk {
  root: Json;
  steps: number;
}

/** The first deviation, or null. `root`: the document that references are in. Throws TooManySteps. */
export function deviationOf(schema: Json, value: Json, root: Json): Deviation | null {
  return deviation({ root, steps: 0 }, schema, value, '', 0);
}

function deviation(walk: Walk, schema: Json, value: Json, where: string, references: number): Deviation | null {
  walk.steps += 1;
  if (walk.steps > mostSteps) throw new TooManySteps();
  if (schema === false) return { where, expected: 'nothing', found: typeName(value) };
  if (!isObject(schema)) return null;
  return (
    referred(walk, schema, value, where, references) ??
    ofType(schema, value, where) ??
    ofList(schema, value, where) ??
    (isObject(value) ? inObject(walk, schema, value, where) : null) ??
    (Array.isArray(value) ? inArray(walk, schema, value, where) : null) ??
    combined(walk, schema, value, where, references)
  );
}

function referred(walk: Walk, schema: JsonObject, value: Json, where: string, references: number): Deviation | null {
  if (typeof schema.$ref !== 'string' || references >= mostReferences) return null;
  const target = targetOf(walk.root, schema.$ref);
  return target === undefined ? null : deviation(walk, target, value, where, references + 1);
}

/** What a reference within the document names; undefined where that is nothing. */
export function targetOf(root: Json, reference: string): Json | undefined {
  return reference.startsWith('#') ? valueAt(root, pointerTokens(reference.slice(1))) : undefined;
}

function ofType({ type }: JsonObject, value: Json, where: string): Deviation | null {
  const types = typeof type === 'string' ? [type] : Array.isArray(type) ? type.map(String) : [];
  const found = typeName(value);
  const fits = types.length === 0 || types.includes(found) || (found === 'integer' && types.includes('number'));
  return fits ? null : { where, expected: types.join(' or '), found };
}

function ofList(schema: JsonObject, value: Json, where: string): Deviation | null {
  const list = schema.const === undefined ? schema.enum : [schema.const];
  if (!Array.isArray(list)) return null;
  const text = canonicalJson(value);
  if (list.some((one) => canonicalJson(one) === text)) return null;
  const expected = list.length === 1 ? 'the listed value' : `one of ${list.length} listed values`;
  return { where, expected, found: `another ${typeName(value)}` };
}

function inObject(walk: Walk, schema: JsonObject, value: JsonObject, where: string): Deviation | null {
  const properties = objectAt(schema, 'properties');
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  for (const name of required) {
    if (Object.hasOwn(value, name) || isWriteOnly(walk.root, properties[name])) continue;
    const listed = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return { where: below(where, name), expected: expectedOf(walk.root, listed), found: 'nothing' };
  }
  const hasPatterns = Object.keys(objectAt(schema, 'patternProperties')).length > 0;
  for (const [name, item] of entriesOf(value)) {
    const isListed = Object.hasOwn(properties, name);
    const of = isListed ? properties[name] : hasPatterns ? undefined : schema.additionalProperties;
    const found = of === undefined ? null : deviation(walk, of, item, below(where, isListed ? name : '*'), 0);
    if (found) return found;
  }
  return null;
}

/** Answers never hold these, required or not. */
function isWriteOnly(root: Json, schema: Json | undefined): boolean {
  return dissolved(root, schema).writeOnly === true;
}

function expectedOf(root: Json, schema: Json | undefined): string {
  const { type } = dissolved(root, schema);
  return typeof type === 'string' ? type : Array.isArray(type) ? type.join(' or ') : 'a value';
}

function dissolved(root: Json, schema: Json | undefined): JsonObject {
  let found = schema;
  for (let steps = 0; isObject(found) && typeof found.$ref === 'string' && steps < mostReferences; steps += 1)
    found = targetOf(root, found.$ref);
  return isObject(found) ? found : {};
}

function inArray(walk: Walk, schema: JsonObject, value: readonly Json[], where: string): Deviation | null {
  const first = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  for (const [index, item] of value.entries()) {
    const of = index < first.length ? first[index] : schema.items;
    const found = of === undefined ? null : deviation(walk, of, item, below(where, String(index)), 0);
    if (found) return found;
  }
  return null;
}

/** Of alternatives that all fail, the one that went deepest says most. That only one of them fits can't be told by shape. */
function combined(walk: Walk, schema: JsonObject, value: Json, where: string, references: number): Deviation | null {
  for (const each of Array.isArray(schema.allOf) ? schema.allOf : []) {
    const found = deviation(walk, each, value, where, references);
    if (found) return found;
  }
  for (const list of [schema.anyOf, schema.oneOf]) {
    if (!Array.isArray(list) || list.length === 0) continue;
    const tried = list.map((each) => deviation(walk, each, value, where, references + 1));
    const failed = tried.filter((one) => one !== null);
    if (failed.length < tried.length) continue;
    const deepest = failed.reduce((a, b) => (depthOf(b) > depthOf(a) ? b : a));
    if (depthOf(deepest) > depthOf({ where })) return deepest;
    const kinds = [...new Set(failed.map(({ expected }) => expected))];
    return { where, expected: kinds.join(' or '), found: typeName(value) };
  }
  return null;
}

function depthOf({ where }: Pick<Deviation, 'where'>): number {
  return where.split('/').length;
}

function below(where: string, name: string): string {
  return `${where}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

export function typeName(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}
