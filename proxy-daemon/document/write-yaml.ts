import { entriesOf, isObject, type Json, type JsonObject } from './json.ts';

/**
 * JSON values as YAML text: block style, texts of several lines as literal blocks, no anchors, aliases or tags. Ten times as fast as a
 * general library, which has to know much more; documents are megabytes. Pure.
 */

/** A block mapping that ends in a newline; `{}` where it is empty. */
export function writeYaml(value: JsonObject): string {
  const lines: string[] = [];
  putMap(lines, value, '');
  return lines.length === 0 ? '{}\n' : `${lines.join('\n')}\n`;
}

function putMap(lines: string[], map: JsonObject, pad: string): void {
  for (const [key, value] of entriesOf(map)) {
    const name = scalarKey(key);
    // Longer keys must be marked as such (YAML 1.2.2, 7.4.2).
    if (name.length > 1000) {
      lines.push(`${pad}? ${name}`);
      putValue(lines, value, `${pad}:`, pad);
    } else putValue(lines, value, `${pad}${name}:`, pad);
  }
}

function putValue(lines: string[], value: Json, head: string, pad: string): void {
  const inner = `${pad}  `;
  if (typeof value !== 'object' || value === null) lines.push(`${head} ${scalar(value, inner)}`);
  else if (isEmpty(value)) lines.push(`${head} ${Array.isArray(value) ? '[]' : '{}'}`);
  else {
    lines.push(head);
    if (Array.isArray(value)) putList(lines, value, inner);
    else putMap(lines, value, inner);
  }
}

function putList(lines: string[], list: readonly Json[], pad: string): void {
  const inner = `${pad}  `;
  for (const item of list) {
    if (typeof item !== 'object' || item === null || isEmpty(item)) {
      putValue(lines, item, `${pad}-`, pad);
      continue;
    }
    const first = lines.length;
    if (Array.isArray(item)) putList(lines, item, inner);
    else putMap(lines, item, inner);
    lines[first] = `${pad}- ${(lines[first] ?? '').slice(inner.length)}`;
  }
}

function isEmpty(value: Json[] | JsonObject): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && entriesOf(value).length === 0;
}

function scalar(value: string | number | boolean | null, pad: string): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (isPlain(value)) return value;
  return isLiteral(value) ? literal(value, pad) : quoted(value);
}

function scalarKey(key: string): string {
  return isPlain(key) ? key : quoted(key);
}

/** Safe without quotes for readers of YAML 1.1 and 1.2 alike. */
const plain = /^[A-Za-z_/$][A-Za-z0-9_./{}$()@%+=~-]*(?: [A-Za-z0-9_./{}$()@%+=~-]+)*$/;
const words = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

function isPlain(text: string): boolean {
  return text.length < 200 && plain.test(text) && !words.test(text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what a literal block can't hold
const unprintable = /[\u0000-\u0009\u000b-\u001f\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]/u;

function isLiteral(text: string): boolean {
  return text.includes('\n') && /^\S/.test(text) && /\S\n*$/.test(text) && !unprintable.test(text);
}

function literal(text: string, pad: string): string {
  const chomp = text.endsWith('\n\n') ? '+' : text.endsWith('\n') ? '' : '-';
  const body = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  return `|${chomp}\n${body.map((line) => (line === '' ? '' : pad + line)).join('\n')}`;
}

/** JSON's escapes are YAML's; what YAML takes for unprintable is escaped as well. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
