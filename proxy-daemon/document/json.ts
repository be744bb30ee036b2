/** Plain JSON and JSON Pointers (RFC 6901), as far as documents need them. Pure. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json | undefined;
}

/** True for a JSON object (not an array, not null). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own property as an object, or an empty one: for optional maps that may be missing or malformed. */
export function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = Object.hasOwn(parent, key) ? parent[key] : undefined;
  return isObject(value) ? value : {};
}

/** The own entries of the object that have a value. */
export function entriesOf(object: JsonObject): [string, Json][] {
  const entries: [string, Json][] = [];
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (value !== undefined) entries.push([key, value]);
  }
  return entries;
}

/** One reference token, escaped for a pointer. */
export function escapeToken(token: string): string {
  // Most have neither, and this is asked for at every step through a document.
  return token.includes('/') || token.includes('~') ? token.replaceAll('~', '~0').replaceAll('/', '~1') : token;
}

/** The token as it must stand in the fragment of a URI: pointer escapes, then percent-encoding (RFC 6901, section 6). */
export function fragmentToken(token: string): string {
  return encodeURI(escapeToken(token)).replaceAll('#', '%23').replaceAll('?', '%3F');
}

/** Tokens of a `/a/b` pointer; percent-encoding is undone first, as in a URI fragment. A broken encoding is read as it stands. */
export function pointerTokens(pointer: string): string[] {
  let text = pointer;
  try {
    text = decodeURIComponent(pointer);
  } catch {
    // A stray percent sign: documents in the wild have those in paths. Taken literally.
  }
  if (text === '') return [];
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The child of an object or array, or undefined; never reaches a prototype. */
export function childOf(parent: Json | undefined, token: string): Json | undefined {
  if (Array.isArray(parent)) return /^(0|[1-9]\d*)$/.test(token) ? parent[Number(token)] : undefined;
  return isObject(parent) && Object.hasOwn(parent, token) ? parent[token] : undefined;
}

/** The value under the tokens, or undefined. */
export function valueAt(root: Json, tokens: readonly string[]): Json | undefined {
  let value: Json | undefined = root;
  for (const token of tokens) value = childOf(value, token);
  return value;
}
