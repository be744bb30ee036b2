import { isReference, type Kind, shapeOf } from './grammar.ts';
import { isObject, type Json, type JsonObject, pointerTokens, valueAt } from './json.ts';

/**
 * What differs, for a caller, between the same operation in two versions: names such as `parameters`, `requestBody`,
 * `responses/404`, `security`, `deprecated`. Texts and examples don't count, and references are followed, so a schema that
 * changed three levels down is seen. Wants normalised documents. Pure.
 */
export function differences(ours: OperationIn, theirs: OperationIn): string[] {
  const compare: Compare = (a, b, kind) => sameMeaning(ours.document, theirs.document, a, b, kind);
  const found: string[] = [];
  const a = ours.operation;
  const b = theirs.operation;
  if (!sameList(parametersOf(ours), parametersOf(theirs), compare)) found.push('parameters');
  if (!compare(a.requestBody, b.requestBody, 'requestBody')) found.push('requestBody');
  const responses = isObject(a.responses) ? a.responses : {};
  const others = isObject(b.responses) ? b.responses : {};
  for (const status of [...new Set([...Object.keys(responses), ...Object.keys(others)])].sort()) {
    if (!status.startsWith('x-') && !compare(responses[status], others[status], 'response'))
      found.push(`responses/${status}`);
  }
  if (!plainEqual(a.security ?? ours.document.security, b.security ?? theirs.document.security)) found.push('security');
  if ((a.deprecated === true) !== (b.deprecated === true)) found.push('deprecated');
  return found;
}

export interface OperationIn {
  document: JsonObject;
  item: JsonObject;
  operation: JsonObject;
}

/** True where the two say the same to a caller, whatever their texts and however they spread over references. */
export function sameMeaning(
  documentA: JsonObject,
  documentB: JsonObject,
  a: Json | undefined,
  b: Json | undefined,
  kind: Kind,
): boolean {
  // A comparer each: what it assumes on the way holds only as long as nothing differs.
  return comparer(documentA, documentB)(a, b, kind);
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
    if (shape === undefined) return key === 'required' || key === 'enum' ? sameSet(a, b) : plainEqual(a, b);
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

function sameList(a: Map<string, Json>, b: Map<string, Json>, compare: Compare): boolean {
  return a.size === b.size && [...a].every(([key, value]) => compare(value, b.get(key), 'parameter'));
}

function keysOf(a: JsonObject, b: JsonObject): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

function sameSet(a: Json | undefined, b: Json | undefined): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return plainEqual(a, b);
  const others = new Set(b.map((item) => JSON.stringify(item)));
  return a.length === b.length && a.every((item) => others.has(JSON.stringify(item)));
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
