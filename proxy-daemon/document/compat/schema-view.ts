import { canonicalJson } from '../../../specs/canonical-json.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt } from '../json.ts';
import { type Conjunction, childPart, conjunctionKey, flatten, type Part } from './schema-parts.ts';
import { allTypes, typeOfValue, typesOf } from './types.ts';

/** What a conjunction of schemas says, keyword by keyword, with all its parts taken together. Pure. */
export interface View {
  key: string;
  /** The parts after references and `allOf` dissolved. */
  flat: readonly Part[];
  /** False where there were too many parts. */
  whole: boolean;
  /** Bits of types.ts, without what alternatives say. */
  types: number;
  /** The allowed values by their text, where `enum` or `const` lists them. */
  values: ReadonlyMap<string, Json> | undefined;
  required: ReadonlySet<string>;
  unions: readonly Union[];
  readOnly: boolean;
  writeOnly: boolean;
}

export interface Union {
  keyword: 'anyOf' | 'oneOf';
  owner: Part;
  alternatives: readonly Part[];
}

export function viewOf(conjunction: Conjunction): View {
  const { flat, whole } = flatten(conjunction.parts);
  const view: View = {
    key: conjunctionKey(conjunction, flat),
    flat,
    whole,
    types: allTypes,
    values: undefined,
    required: new Set(),
    unions: [],
    readOnly: false,
    writeOnly: false,
  };
  return flat.reduce(narrowedBy, view);
}

function narrowedBy(view: View, part: Part): View {
  const { schema } = part;
  if (!isObject(schema)) return { ...view, types: 0 };
  const types = view.types & typesOf(schema);
  const values = bothValues(view.values, valuesOf(schema));
  return {
    ...view,
    types,
    values: values && new Map([...values].filter(([, value]) => (typeOfValue(value) & types) !== 0)),
    required: Array.isArray(schema.required)
      ? new Set([...view.required, ...schema.required.map(String)])
      : view.required,
    unions: [...view.unions, ...unionsOf(part)],
    readOnly: view.readOnly || schema.readOnly === true,
    writeOnly: view.writeOnly || schema.writeOnly === true,
  };
}

function valuesOf(schema: JsonObject): Map<string, Json> | undefined {
  const list = schema.const !== undefined ? [schema.const] : schema.enum;
  return Array.isArray(list) ? new Map(list.map((value) => [canonicalJson(value), value])) : undefined;
}

function bothValues(a: View['values'], b: View['values']): View['values'] {
  return a && b ? new Map([...a].filter(([text]) => b.has(text))) : (a ?? b);
}

function unionsOf(part: Part): Union[] {
  return (['anyOf', 'oneOf'] as const).flatMap((keyword) => {
    const list = isObject(part.schema) ? part.schema[keyword] : undefined;
    if (!Array.isArray(list) || part.masked[keyword]) return [];
    // `true` is kept as an alternative that allows everything.
    const alternatives = list.flatMap((schema, index) =>
      childPart(part, schema === true ? {} : schema, keyword, index),
    );
    return [{ keyword, owner: part, alternatives }];
  });
}

/** The conjunction with one alternative of a union beside the rest, and the union itself left out. */
export function choose({ chosen }: Conjunction, view: View, { keyword, owner }: Union, alternative: Part): Conjunction {
  const parts = view.flat.map((part) =>
    part === owner ? { ...part, masked: { ...part.masked, [keyword]: true } } : part,
  );
  // A schema that is an alternative of itself leads here again: its last choice counts.
  const others = chosen.filter(({ of }) => of !== owner.at);
  return { parts: [alternative, ...parts], chosen: [...others, { part: alternative, of: owner.at }] };
}

/** The types that remain when alternatives are looked at too, some levels deep. */
export function reachableTypes(view: View, levels = 5): number {
  if (levels === 0) return view.types;
  return view.unions.reduce(
    (types, union) =>
      types &
      union.alternatives.reduce(
        (sum, part) => sum | reachableTypes(viewOf({ parts: [part], chosen: [] }), levels - 1),
        0,
      ),
    view.types,
  );
}

/** The parts that say something about the properties of objects. */
function objectParts(view: View): Part[] {
  return view.flat.filter(
    ({ schema }) =>
      isObject(schema) &&
      ['properties', 'patternProperties', 'additionalProperties'].some((keyword) => Object.hasOwn(schema, keyword)),
  );
}

/** The names listed under `properties`. */
export function propertyNames(view: View): Set<string> {
  return new Set(
    view.flat.flatMap(({ schema }) =>
      (isObject(schema) ? entriesOf(objectAt(schema, 'properties')) : []).map(([name]) => name),
    ),
  );
}

/** All that a property of this name must satisfy, whether it is listed or falls under a pattern or `additionalProperties`. */
export function propertyOf(view: View, name: string): Conjunction {
  const parts = objectParts(view).flatMap((part) => {
    const schema = part.schema as JsonObject;
    const properties = objectAt(schema, 'properties');
    const listed = Object.hasOwn(properties, name) ? childPart(part, properties[name], 'properties', name) : [];
    const patterns = entriesOf(objectAt(schema, 'patternProperties')).filter(([pattern]) => matches(pattern, name));
    const found = patterns.flatMap(([pattern, value]) => childPart(part, value, 'patternProperties', pattern));
    if (Object.hasOwn(properties, name) || patterns.length > 0) return [...listed, ...found];
    return childPart(part, schema.additionalProperties, 'additionalProperties');
  });
  return { parts, chosen: [] };
}

function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(name);
  } catch {
    return false;
  }
}

/** What holds for properties that are listed nowhere. */
export function additionalOf(view: View): { closed: boolean; open: boolean; parts: Part[] } {
  const parts: Part[] = [];
  let closed = false;
  let open = false;
  for (const part of objectParts(view)) {
    const value = (part.schema as JsonObject).additionalProperties;
    if (value === false) closed = true;
    else if (value === true) open = true;
    else if (isObject(value) && Object.keys(value).length > 0)
      parts.push(...childPart(part, value, 'additionalProperties'));
    else if (isObject(value)) open = true;
  }
  return { closed, open: open && parts.length === 0, parts };
}

/** Schemas of `patternProperties`, by pattern. */
export function patternParts(view: View): Map<string, Part[]> {
  const patterns = new Map<string, Part[]>();
  for (const part of objectParts(view)) {
    for (const [pattern, value] of entriesOf(objectAt(part.schema as JsonObject, 'patternProperties'))) {
      patterns.set(pattern, [
        ...(patterns.get(pattern) ?? []),
        ...childPart(part, value, 'patternProperties', pattern),
      ]);
    }
  }
  return patterns;
}

/** Items with a schema of their own at the front of an array. `items` as a list is how Swagger 2.0 wrote `prefixItems`. */
export function prefixLength(view: View): number {
  return Math.max(0, ...view.flat.map(({ schema }) => (isObject(schema) ? prefixOf(schema).length : 0)));
}

/** All that the item at this index must satisfy; `undefined` stands for those after every prefix. */
export function itemOf(view: View, index: number | undefined): Conjunction {
  const parts = view.flat.flatMap((part) => {
    if (!isObject(part.schema)) return [];
    const prefix = prefixOf(part.schema);
    if (index !== undefined && index < prefix.length) return childPart(part, prefix[index], 'prefixItems', index);
    return Array.isArray(part.schema.items) ? [] : childPart(part, part.schema.items, 'items');
  });
  return { parts, chosen: [] };
}

function prefixOf(schema: JsonObject): readonly Json[] {
  if (Array.isArray(schema.prefixItems)) return schema.prefixItems;
  return Array.isArray(schema.items) ? schema.items : [];
}

/** The numbers under a keyword in all parts. */
export function numbersAt(view: View, keyword: string): number[] {
  return view.flat.flatMap(({ schema }) => {
    const value = isObject(schema) ? schema[keyword] : undefined;
    return typeof value === 'number' ? [value] : [];
  });
}

/** The texts under a keyword in all parts. */
export function textsAt(view: View, keyword: string): string[] {
  return view.flat.flatMap(({ schema }) => {
    const value = isObject(schema) ? schema[keyword] : undefined;
    return typeof value === 'string' ? [value] : [];
  });
}

/** Where the conjunction is, for people: its first part after references were followed. */
export function placeOf(view: View): string | undefined {
  return view.flat[0]?.at;
}
