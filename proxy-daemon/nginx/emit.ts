/**
 * nginx configuration text from values. The only place that writes it.
 *
 * nginx has no escape for `$`, so text from outside and text with variables are different types: a plain string is literal
 * and must not hold a `$` or a control character (GATEWAY_UNSAFE_VALUE); variables come only from the `nginxText` template,
 * whose fixed parts are this program's own and whose inserted values are literals again. Order is kept, everything that is
 * not plainly safe is quoted.
 */
import { McpError } from '../../specs/errors.ts';

/** Text that may hold nginx variables. Made by `nginxText` alone. */
export interface NginxText {
  readonly expression: string;
}

export type Argument = string | number | NginxText;

export interface Directive {
  /** A directive's name, or the key of a `map` entry. */
  name: string | NginxText;
  args: Argument[];
  block?: Directive[];
  /** A call in Lua: all that the block holds. */
  call?: string;
  /** Of a lasting directive: its text as it was emitted last, and how far indented. */
  kept?: { indent: string; text: string };
}

/** A directive: `directive('listen', '127.0.0.1:80')` is `listen 127.0.0.1:80;`. */
export function directive(name: string, ...args: Argument[]): Directive {
  return { name, args };
}

/** A directive with a block: `block('location', ['=', '/healthz'], [...])`. */
export function block(name: string, args: Argument[], body: Directive[]): Directive {
  return { name, args, block: body };
}

/** A block that calls a function of Lua's without arguments: `luaCall('log_by_lua_block', 'mcp_at_log')`. */
export function luaCall(name: string, called: 'mcp_at_rewrite' | 'mcp_at_balancer' | 'mcp_at_log'): Directive {
  return { name, args: [], call: `${called}()` };
}

/**
 * Directives that follow from one value, which never changes: made once for it, and their text kept as long as the value
 * lives. So what one change costs does not grow with what stays as it was.
 */
export function lasting<T extends object>(make: (value: T) => Directive[]): (value: T) => readonly Directive[] {
  const made = new WeakMap<T, Directive[]>();
  return (value) => {
    const known = made.get(value);
    if (known) return known;
    const directives = make(value).map((one) => ({ ...one, kept: { indent: '', text: '' } }));
    made.set(value, directives);
    return directives;
  };
}

/** An entry of a `map` block. A literal key never reads as a regular expression or a keyword of `map`. */
export function entry(key: string | NginxText, value: Argument): Directive {
  if (typeof key !== 'string') return { name: key, args: [value] };
  const isSpecial = /^[~\\]/.test(key) || ['default', 'hostnames', 'volatile', 'include'].includes(key);
  return { name: isSpecial ? `\\${key}` : key, args: [value] };
}

/** Text with nginx variables: `` nginxText`http://$mcp_upstream` ``. Inserted values must be literals. */
export function nginxText(fixed: TemplateStringsArray, ...values: (string | number)[]): NginxText {
  const parts = fixed.raw.map((part, index) => part + (index < values.length ? literal(values[index] ?? '') : ''));
  return { expression: parts.join('') };
}

/** The whole tree as text, two spaces a level. Throws GATEWAY_UNSAFE_VALUE. */
export function emit(directives: readonly Directive[]): string {
  const lines: string[] = [];
  emitInto(lines, directives, '');
  return `${lines.join('\n')}\n`;
}

function emitInto(lines: string[], directives: readonly Directive[], indent: string): void {
  for (const one of directives) {
    if (one.kept) lines.push(keptText(one, one.kept, indent));
    else emitOne(lines, one, indent);
  }
}

function keptText(one: Directive, kept: { indent: string; text: string }, indent: string): string {
  if (kept.text !== '' && kept.indent === indent) return kept.text;
  const lines: string[] = [];
  emitOne(lines, one, indent);
  kept.indent = indent;
  kept.text = lines.join('\n');
  return kept.text;
}

function emitOne(lines: string[], { name, args, block: body, call }: Directive, indent: string): void {
  const words = [name, ...args].map(emitArgument).join(' ');
  if (call) {
    lines.push(`${indent}${words} { ${call} }`);
    return;
  }
  if (!body) {
    lines.push(`${indent}${words};`);
    return;
  }
  lines.push(`${indent}${words} {`);
  emitInto(lines, body, `${indent}  `);
  lines.push(`${indent}}`);
}

/** Nearly every literal is of this kind, and a large configuration has tens of thousands. */
const plain = /^[A-Za-z0-9_./:=@%[\]~^!-]{1,400}$/;

function emitArgument(argument: Argument): string {
  if (typeof argument === 'string' && plain.test(argument)) return argument;
  const text = typeof argument === 'object' ? printable(argument.expression) : literal(argument);
  return /^(?:[A-Za-z0-9_./:=@%$[\]~^!-]+|[()])$/.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** nginx reads a token into a buffer of 4096 bytes. */
const longestToken = 4000;

function literal(value: string | number): string {
  const text = String(value);
  if (text.includes('$')) throw unsafe(text, 'holds a $, which nginx would take for a variable');
  return printable(text);
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
  if (/[\u0000-\u001f\u007f\u2028\u2029]/.test(text)) throw unsafe(text, 'holds a control character');
  if (Buffer.byteLength(text) > longestToken) throw unsafe(text, `is longer than ${longestToken} bytes`);
  if (!text.isWellFormed()) throw unsafe(text, 'is not well-formed Unicode');
  return text;
}

function unsafe(text: string, problem: string): McpError {
  const shown = JSON.stringify(text.slice(0, 80));
  return new McpError('GATEWAY_UNSAFE_VALUE', `${shown} ${problem}: it must not reach the nginx configuration`, {
    hint: 'Change the name or path in the environment or in the registration.',
  });
}
