import { canonicalJson } from '../../../specs/canonical-json.ts';
import { isReference } from '../grammar.ts';
import { escapeToken, isObject, type Json, type JsonObject, pointerTokens, valueAt } from '../json.ts';

/**
 * A place in a document that holds a schema, seen as a conjunction: a list of parts that must all hold. References and `allOf` are
 * conjunctions, so they dissolve; `anyOf` and `oneOf` stay and can be masked when one of their alternatives was chosen. Pure.
 */

export type SideName = 'live' | 'next';

/** One of the two documents, with what identifies its objects. */
export class Side {
  readonly name: SideName;
  readonly root: JsonObject;
  readonly #ids = new WeakMap<object, number>();
  readonly #extras = new Map<string, JsonObject>();
  #count = 0;

  constructor(name: SideName, root: JsonObject) {
    this.name = name;
    this.root = root;
  }

  /** The same number for the same object of this document. */
  idOf(schema: Json): string {
    if (typeof schema !== 'object' || schema === null) return String(schema);
    const known = this.#ids.get(schema) ?? ++this.#count;
    this.#ids.set(schema, known);
    return String(known);
  }

  /** The same object for the same schema text: what the comparison adds must not look new each time, or it would never end. */
  extra(schema: JsonObject): JsonObject {
    const text = canonicalJson(schema);
    const known = this.#extras.get(text) ?? schema;
    this.#extras.set(text, known);
    return known;
  }
}

export interface Part {
  side: Side;
  schema: Json;
  /** JSON Pointer of the schema, e.g. `/components/schemas/Pet`. */
  at: string;
  /** True where the part's `anyOf` or `oneOf` is left out, since an alternative stands beside it. */
  masked: { anyOf: boolean; oneOf: boolean };
  /** True where it came in by `allOf`. */
  inherited: boolean;
}

/** All parts that a value must satisfy. */
export interface Conjunction {
  parts: readonly Part[];
  /** The parts that are alternatives, chosen one by one. */
  chosen: readonly Choice[];
}

/** An alternative that was chosen. */
interface Choice {
  part: Part;
  /** JSON Pointer of the schema whose alternative it is. */
  of: string;
}

const unmasked = { anyOf: false, oneOf: false };
/** More parts than any real schema has; beyond, the rest is left out and the comparison says that it is undecided. */
const mostParts = 400;

function partAt(side: Side, schema: Json | undefined, at: string): Part[] {
  return schema === undefined || schema === true ? [] : [{ side, schema, at, masked: unmasked, inherited: false }];
}

/** The conjunction of one schema. */
export function conjunctionAt(side: Side, schema: Json | undefined, at: string): Conjunction {
  return { parts: partAt(side, schema, at), chosen: [] };
}

/** The child of a part under keyword tokens, as a part of its own. */
export function childPart(part: Part, schema: Json | undefined, ...tokens: (string | number)[]): Part[] {
  return partAt(part.side, schema, `${part.at}${tokens.map((token) => `/${escapeToken(String(token))}`).join('')}`);
}

/** A part that the comparison adds by itself, such as a type it goes through one by one. */
export function extraPart(parts: readonly Part[], schema: JsonObject): Part[] {
  const [first] = parts;
  return first === undefined
    ? []
    : [{ ...first, schema: first.side.extra(schema), masked: unmasked, inherited: false }];
}

/** References and `allOf` dissolved: what is left is applied as it stands. Pure references leave nothing but their targets. */
export function flatten(parts: readonly Part[]): { flat: Part[]; whole: boolean } {
  const seen = new Set<string>();
  const flat: Part[] = [];
  const open = [...parts].reverse();
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const key = partKey(part);
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > mostParts) return { flat, whole: false };
    const { schema, side, inherited } = part;
    if (schema === true) continue;
    if (!isObject(schema)) {
      flat.push(part);
      continue;
    }
    if (!onlyRefers(schema)) flat.push(part);
    const all = Array.isArray(schema.allOf) ? schema.allOf : [];
    for (let index = all.length - 1; index >= 0; index--) {
      for (const child of childPart(part, all[index], 'allOf', index)) open.push({ ...child, inherited: true });
    }
    if (isReference(schema, 'schema')) {
      const tokens = pointerTokens(schema.$ref.slice(1));
      const at = tokens.map((token) => `/${escapeToken(token)}`).join('');
      open.push(...partAt(side, valueAt(side.root, tokens), at).map((child) => ({ ...child, inherited })));
    }
  }
  return { flat, whole: true };
}

/** Identifies a conjunction within one comparison. */
export function conjunctionKey({ parts, chosen }: Conjunction, flat: readonly Part[]): string {
  const [first] = parts;
  const choices = chosen
    .map(({ part, of }) => `${partKey(part)}@${of}`)
    .sort()
    .join();
  return `${first?.side.name ?? ''}${choices}?${flat.map(partKey).sort().join()}`;
}

function partKey({ side, schema, masked }: Part): string {
  return `${side.idOf(schema)}${masked.anyOf ? 'a' : ''}${masked.oneOf ? 'o' : ''}`;
}

/** Keywords that constrain nothing. */
const annotations = new Set([
  'title',
  'description',
  'default',
  'deprecated',
  'example',
  'examples',
  'externalDocs',
  'xml',
  '$comment',
  '$defs',
  'definitions',
]);

function onlyRefers(schema: JsonObject): boolean {
  return Object.keys(schema).every(
    (key) => key === '$ref' || key === 'allOf' || annotations.has(key) || key.startsWith('x-'),
  );
}
