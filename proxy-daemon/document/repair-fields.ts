import { type Check, type Rules, rootRules, rulesOf } from './field-rules.ts';
import { isReference, type Kind, transform } from './grammar.ts';
import { entriesOf, isObject, type Json, type JsonObject } from './json.ts';
import { exclusiveBounds } from './upgrade-to-31.ts';

/**
 * Drops the parts of an OpenAPI 3.1 document that can't be meant, each alone, or says what they must have meant: an unknown
 * field, a number where a text belongs, a response without a description. What is right stays as it is. Pure.
 *
 * Wants a document whose references are local (see localiseRefs), upgraded to 3.1. `say` is told of each repair.
 */
export function repairFields(document: JsonObject, say: (note: string) => void): JsonObject {
  const repaired = transform(document, 'document', (node, kind, at) => repairNode(node, kind, at, say));
  return withoutBroken(repaired) as JsonObject;
}

/** Only what the validator of the whole document takes no look at, in a document that it takes for valid. */
export function repairUnseen(document: JsonObject, say: (note: string) => void): JsonObject {
  return transform(document, 'document', (node, kind, at) =>
    kind === 'schema' || kind === 'operation' ? repairNode(node, kind, at, say) : node,
  );
}

/** Stands for a part of which nothing is left until its holder drops it. Services can't say it: their `x-mcp-` keys are dropped before. */
export const broken: JsonObject = { 'x-mcp-broken': true };

function repairNode(node: JsonObject, kind: Kind, at: string, say: (note: string) => void): JsonObject {
  const rules = kind === 'document' ? rootRules : rulesOf[kind];
  if (rules === undefined || isBroken(node) || (kind !== 'schema' && isReference(node, kind))) return node;
  const sayHere = (what: string) => say(`#${at} ${what}`);
  const bounded = kind === 'schema' ? exclusiveBounds(node) : node;
  if (bounded !== node) sayHere('has exclusive bounds in the form of OpenAPI 3.0: taken as that');
  const fitted = withFittingFields(bounded, rules, sayHere);
  const finished = rules.finish ? rules.finish(fitted, sayHere) : fitted;
  if (finished === undefined) sayHere(`is no ${kind}: left out`);
  return finished ?? broken;
}

function withFittingFields(node: JsonObject, rules: Rules, say: (what: string) => void): JsonObject {
  let changed = false;
  const fields: [string, Json][] = [];
  for (const [key, value] of entriesOf(node)) {
    const check: Check | undefined = Object.hasOwn(rules.fields, key) ? rules.fields[key] : undefined;
    const known = check !== undefined || rules.open === true || key.startsWith('x-');
    const meant = known ? (check ? check(value) : value) : undefined;
    if (meant !== undefined) fields.push([key, meant]);
    if (meant === value || isSame(meant, value)) continue;
    changed = true;
    if (!known) say(`has the unknown field ${JSON.stringify(key.slice(0, 60))}: dropped`);
    else if (meant === undefined) say(`${key} can't be ${shown(value)}: dropped`);
    else say(`${key} is read as ${shown(meant)} instead of ${shown(value)}`);
  }
  return changed ? Object.fromEntries(fields) : node;
}

/** Checks of lists and maps give copies. */
function isSame(meant: Json | undefined, value: Json): boolean {
  if (Array.isArray(meant) && Array.isArray(value)) {
    return meant.length === value.length && meant.every((item, index) => item === value[index]);
  }
  if (!isObject(meant) || !isObject(value)) return false;
  return Object.keys(meant).length === Object.keys(value).length;
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function withoutBroken(value: Json): Json {
  if (Array.isArray(value)) return value.filter((item) => !isBroken(item)).map(withoutBroken);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    entriesOf(value)
      .filter(([, item]) => !isBroken(item))
      .map(([key, item]) => [key, withoutBroken(item)]),
  );
}

/** `transform` copies what it walks. */
function isBroken(value: Json): boolean {
  return isObject(value) && value['x-mcp-broken'] === true;
}
