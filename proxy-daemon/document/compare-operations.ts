import { isReference, type Kind, shapeOf } from './grammar.ts';
import { isObject, type Json, type JsonObject, pointerTokens, valueAt } from './json.ts';

/** One thing that differs for a caller between the same operation in two versions. */
export interface Difference {
  /** `parameters`, `requestBody`, `responses/404`, `security` or `deprecated`. */
  part: string;
  /** What in it, for people, at most `mostDetails`: `200 application/json name: type "string" -> "integer"`. */
  details: string[];
}

const mostDetails = 5;

/**
 * What differs, for a caller, between the same operation in two versions. Texts and examples don't count, and references are
 * followed, so a schema that changed three levels down is seen. Wants normalised documents. Pure.
 */
export function differences(ours: OperationIn, theirs: OperationIn): Difference[] {
  const found: Difference[] = [];
  const a = ours.operation;
  const b = theirs.operation;
  const add = (part: string, one: Json | undefined, other: Json | undefined, kind: Kind) => {
    // Each part is compared for itself: what one part assumed of a recursive schema says nothing of the next.
    if (comparer(ours.document, theirs.document)(one, other, kind)) return;
    const details = new Details(ours.document, theirs.document).between(one, other, kind);
    found.push({ part, details: details.slice(0, mostDetails) });
  };
  const [own, others] = [parametersOf(ours), parametersOf(theirs)];
  for (const key of new Set([...own.keys(), ...others.keys()])) {
    const [place = '', name = ''] = key.split(' ', 2);
    add(`parameters/${place}/${name}`, own.get(key), others.get(key), 'parameter');
  }
  add('requestBody', a.requestBody, b.requestBody, 'requestBody');
  const responses = isObject(a.responses) ? a.responses : {};
  const answers = isObject(b.responses) ? b.responses : {};
  for (const status of [...new Set([...Object.keys(responses), ...Object.keys(answers)])].sort()) {
    if (!status.startsWith('x-')) add(`responses/${status}`, responses[status], answers[status], 'response');
  }
  if (!plainEqual(a.security ?? ours.document.security, b.security ?? theirs.document.security))
    found.push({ part: 'security', details: [] });
  if ((a.deprecated === true) !== (b.deprecated === true)) {
    found.push({ part: 'deprecated', details: [change(a.deprecated === true, b.deprecated === true)] });
  }
  return found;
}

export interface OperationIn {
  document: JsonObject;
  item: JsonObject;
  operation: JsonObject;
}

type Compare = (a: Json | undefined, b: Json | undefined, kind: Kind) => boolean;

/** Keywords that inform people only. `x-` keys are left out as well. */
const texts = new Set(['description', 'summary', 'title', 'example', 'examples', 'externalDocs', '$comment']);

function comparer(documentA: JsonObject, documentB: JsonObject): Compare {
  // Two references are taken for equal while they are compared: that is what makes recursive schemas comparable.
  const assumed = new Set<string>();
  const compare: Compare = (a, b, kind) => {
    if (!isObject(a) || !isObject(b)) return plainEqual(a, b);
    const refA = isReference(a, kind) ? a.$ref : undefined;
    const refB = isReference(b, kind) ? b.$ref : undefined;
    if (refA !== undefined || refB !== undefined) {
      const key = `${kind} ${refA ?? JSON.stringify(a)} ${refB ?? JSON.stringify(b)}`;
      if (assumed.has(key)) return true;
      assumed.add(key);
      const siblings =
        kind !== 'schema' || sameFields({ ...a, $ref: undefined }, { ...b, $ref: undefined }, kind, refA, refB);
      return siblings && compare(target(documentA, a, refA), target(documentB, b, refB), kind);
    }
    return sameFields(a, b, kind);
  };
  const sameFields = (a: JsonObject, b: JsonObject, kind: Kind, refA?: string, refB?: string): boolean => {
    // A reference beside an inline schema: only the schema it leads to can be compared.
    if ((refA === undefined) !== (refB === undefined)) return true;
    return keysOf(a, b)
      .filter((key) => !texts.has(key) && !key.startsWith('x-'))
      .every((key) => sameField(a[key], b[key], kind, key));
  };
  const sameField = (a: Json | undefined, b: Json | undefined, kind: Kind, key: string): boolean => {
    const shape = shapeOf(kind, key);
    if (shape === undefined) return sets.has(key) ? sameSet(a, b) : plainEqual(a, b);
    const [form, child] = shape;
    if (form === 'map' || form === 'patterned') {
      if (!isObject(a) || !isObject(b)) return plainEqual(a, b);
      return keysOf(a, b).every((name) => compare(a[name], b[name], child));
    }
    if (!Array.isArray(a) || !Array.isArray(b)) return compare(a, b, child);
    return a.length === b.length && a.every((item, index) => compare(item, b[index], child));
  };
  return compare;
}

function target(document: JsonObject, node: JsonObject, ref: string | undefined): Json | undefined {
  return ref === undefined ? node : valueAt(document, pointerTokens(ref.slice(1)));
}

function parametersOf({ document, item, operation }: OperationIn): Map<string, Json> {
  const parameters = new Map<string, Json>();
  for (const list of [item.parameters, operation.parameters]) {
    for (const parameter of Array.isArray(list) ? list : []) {
      let whole: Json | undefined = parameter;
      for (let steps = 0; isObject(whole) && typeof whole.$ref === 'string' && steps < 10; steps++) {
        whole = valueAt(document, pointerTokens(whole.$ref.slice(1)));
      }
      if (isObject(whole)) parameters.set(`${String(whole.in)} ${String(whole.name)}`, whole);
    }
  }
  return parameters;
}

function keysOf(a: JsonObject, b: JsonObject): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

function sameSet(a: Json | undefined, b: Json | undefined): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return plainEqual(a, b);
  const others = new Set(b.map((item) => JSON.stringify(item)));
  return a.length === b.length && a.every((item) => others.has(JSON.stringify(item)));
}

/** Walks into what differs, down to the fields themselves. */
class Details {
  readonly #a: JsonObject;
  readonly #b: JsonObject;
  readonly #compare: Compare;
  readonly #seen = new Set<string>();
  #found: string[] = [];

  constructor(a: JsonObject, b: JsonObject) {
    this.#a = a;
    this.#b = b;
    this.#compare = (one, other, kind) => comparer(a, b)(one, other, kind);
  }

  between(a: Json | undefined, b: Json | undefined, kind: Kind): string[] {
    this.#found = [];
    this.#walk(a, b, kind, []);
    return this.#found;
  }

  #walk(a: Json | undefined, b: Json | undefined, kind: Kind, at: readonly string[]): void {
    if (this.#found.length >= mostDetails || this.#compare(a, b, kind)) return;
    const one = this.#whole(this.#a, a, kind);
    const other = this.#whole(this.#b, b, kind);
    if (!isObject(one) || !isObject(other)) {
      this.#say(at, one, other);
      return;
    }
    const pair = `${kind} ${isObject(a) ? String(a.$ref) : ''} ${isObject(b) ? String(b.$ref) : ''}`;
    if (pair.includes('#')) {
      if (this.#seen.has(pair)) return;
      this.#seen.add(pair);
    }
    for (const key of keysOf(one, other)) {
      if (texts.has(key) || key.startsWith('x-')) continue;
      this.#field(one[key], other[key], shapeOf(kind, key), key, at);
    }
  }

  #field(
    a: Json | undefined,
    b: Json | undefined,
    shape: ReturnType<typeof shapeOf>,
    key: string,
    at: readonly string[],
  ): void {
    if (shape === undefined) {
      const isSet = sets.has(key) && Array.isArray(a) && Array.isArray(b);
      if (isSet) this.#saySet([...at, key], a, b);
      else if (!plainEqual(a, b)) this.#say([...at, key], a, b);
      return;
    }
    const [form, child] = shape;
    // What only structures a description is not said: `properties name`, not `content application/json schema properties name`.
    const here = structure.has(key) ? at : [...at, key];
    const isMap = (form === 'map' || form === 'patterned') && isObject(a) && isObject(b);
    if (isMap) for (const name of keysOf(a, b)) this.#walk(a[name], b[name], child, [...here, name]);
    else if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
      for (const [index, item] of a.entries()) this.#walk(item, b[index], child, [...here, `${index + 1}`]);
    } else if (isObject(a) && isObject(b)) this.#walk(a, b, child, here);
    else if (!this.#compare(a, b, child)) this.#say([...at, key], a, b);
  }

  #whole(document: JsonObject, node: Json | undefined, kind: Kind): Json | undefined {
    let whole = node;
    for (let steps = 0; isObject(whole) && isReference(whole, kind) && steps < 10; steps++) {
      whole = target(document, whole, whole.$ref);
    }
    return whole;
  }

  #saySet(at: readonly string[], a: Json[], b: Json[]): void {
    const without = (list: Json[], others: Json[]) =>
      list.filter((item) => !others.some((other) => plainEqual(item, other)));
    const gone = without(a, b).map((item) => `without ${short(item)}`);
    const added = without(b, a).map((item) => `also ${short(item)}`);
    if (gone.length + added.length === 0 || this.#found.length >= mostDetails) return;
    this.#found.push(`${at.join(' ')}: ${[...gone, ...added].join(', ')}`);
  }

  #say(at: readonly string[], a: Json | undefined, b: Json | undefined): void {
    if (this.#found.length < mostDetails)
      this.#found.push(`${at.join(' ')}${at.length === 0 ? '' : ': '}${change(a, b)}`);
  }
}

/** Lists whose order says nothing. */
const sets = new Set(['required', 'enum']);
const structure = new Set(['content', 'schema', 'properties', 'headers']);

function change(a: Json | undefined, b: Json | undefined): string {
  if (a === undefined) return 'added';
  if (b === undefined) return 'gone';
  return typeof a === 'object' && a !== null && typeof b === 'object' && b !== null && !Array.isArray(a)
    ? 'changed'
    : `${short(a)} -> ${short(b)}`;
}

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Deep equality that doesn't mind the order of keys. */
function plainEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => plainEqual(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  return keysOf(a, b).every((key) => plainEqual(a[key], b[key]));
}
