import { parseDocument as parseYaml } from 'yaml';
import { McpError } from '../../specs/errors.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

/** Deepest nesting of objects and arrays. The deepest public documents we know of stay under 60. */
const maxDepth = 150;
/** Most values in a document, counted as they would be written out: an alias bomb counts in full. 2 MB of JSON can't hold more. */
const maxValues = 1_000_000;

/**
 * Reads the bytes of a document, JSON or YAML, and bounds what later passes have to walk. Pure.
 *
 * Throws DOCUMENT_NOT_UTF8, DOCUMENT_SYNTAX, DOCUMENT_TOO_DEEP, DOCUMENT_TOO_LARGE or DOCUMENT_INVALID (no object, or a
 * key that JavaScript can't hold safely).
 */
export function parseDocument(bytes: Uint8Array): JsonObject {
  const text = decode(bytes);
  const value = /^\s*[{[]/.test(text) ? parseJson(text) : parseYamlText(text);
  if (!isObject(value)) throw new McpError('DOCUMENT_INVALID', 'the document is no object');
  checkBounds(value);
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new McpError('DOCUMENT_NOT_UTF8', 'the document is not UTF-8', { cause });
  }
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    // YAML's flow style begins like JSON.
    try {
      return parseYamlText(text);
    } catch {
      throw new McpError('DOCUMENT_SYNTAX', `not JSON: ${(cause as Error).message.slice(0, 200)}`, { cause });
    }
  }
}

function parseYamlText(text: string): Json {
  let document: ReturnType<typeof parseYaml>;
  let value: Json;
  try {
    document = parseYaml(text, { schema: 'core', merge: true, uniqueKeys: true, prettyErrors: true });
    const error = document.errors[0];
    if (error) throw error;
    // Aliases are legal in documents, but may not multiply them.
    value = document.toJS({ maxAliasCount: 100 }) as Json;
  } catch (cause) {
    throw new McpError('DOCUMENT_SYNTAX', `not YAML: ${(cause as Error).message.slice(0, 200)}`, { cause });
  }
  return value;
}

function checkBounds(root: JsonObject): void {
  let left = maxValues;
  const walk = (value: unknown, depth: number): void => {
    if (--left < 0) throw new McpError('DOCUMENT_TOO_LARGE', `more than ${maxValues} values`);
    if (typeof value !== 'object' || value === null) return;
    if (depth > maxDepth) throw new McpError('DOCUMENT_TOO_DEEP', `nested deeper than ${maxDepth}`);
    if (Array.isArray(value)) {
      for (const item of value) walk(item, depth + 1);
      return;
    }
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') throw new McpError('DOCUMENT_INVALID', 'a key is named __proto__');
      walk(item, depth + 1);
    }
  };
  walk(root, 1);
}
