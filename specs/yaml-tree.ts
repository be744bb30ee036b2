/**
 * YAML text to plain values, each with its place. Only the plain part of YAML is accepted: no anchors, aliases, merge
 * keys, tags, directives or second documents, which bring bombs and surprises and which a declared world doesn't need.
 */
import { isAlias, isMap, isScalar, isSeq, Lexer, type Node, type Pair, Parser, parseDocument, type Scalar } from 'yaml';
import { type Place, type Problem, placeAt, printable, type SourceText } from './problems.ts';

export type Path = readonly (string | number)[];

export interface YamlTree {
  /** Maps are objects without a prototype; undefined for a file without content. */
  value: unknown;
  /** What the plain part of YAML doesn't allow. Where `complete` is false the value is not worth checking. */
  problems: Problem[];
  complete: boolean;
  /** The place of the value at a path, or of its nearest ancestor that exists. */
  valueAt(path: Path): Place;
  /** The place of the key at a path, or of its nearest ancestor's. */
  keyAt(path: Path): Place;
}

// What the shape needs is 8; each level of the text takes up to two places on the parser's stack.
const deepest = 40;
// A real file of the largest size has a third of it; twice as many keep the parser busy for seconds.
const mostLexemes = 500_000;
const mostProblems = 100;

/** Names that every object inherits: never accepted as keys, so no reader of ours can mistake one for a value. */
function isInheritedName(name: string): boolean {
  return name in {};
}

/**
 * Reads the text. `asWritten` names the scalars which are text whatever they look like (`1.10` stays `1.10` and isn't the
 * number 1.1); keys always are.
 */
export function readYaml(source: SourceText, asWritten: (path: Path) => boolean): YamlTree {
  const refused = firstRefused(source.text);
  if (refused !== undefined) {
    const problem = { ...placeAt(source, refused.offset), message: refused.message };
    return { value: undefined, problems: [problem], complete: false, valueAt: () => problem, keyAt: () => problem };
  }
  const document = parseDocument(source.text, { prettyErrors: false, uniqueKeys: false, version: '1.2', merge: false });
  const reader = new Reader(source, asWritten);
  for (const { pos, code, message } of document.errors) {
    reader.complain(
      pos[0],
      1,
      code === 'MULTIPLE_DOCS' ? 'a file holds one environment: a second one starts here' : message,
    );
  }
  const syntaxHolds = reader.problems.length === 0;
  const root = document.contents;
  const value = root === null ? undefined : reader.read(root, []);
  return {
    value,
    problems: reader.problems,
    complete: syntaxHolds,
    valueAt: (path) => find(root, path).value(source),
    keyAt: (path) => find(root, path).key(source),
  };
}

/**
 * What must be found before the text is composed: nesting on which the composer would recurse without end (the parser
 * below it keeps a stack of its own), and directives, which change what the rest means.
 */
function firstRefused(text: string): { offset: number; message: string } | undefined {
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'directive') return { offset: token.offset, message: 'directives are not accepted' };
    }
    if (parser.stack.length > deepest) return { offset: parser.offset, message: 'nested too deep' };
    if (++lexemes > mostLexemes) return { offset: parser.offset, message: 'too many words for a declared environment' };
  }
  return undefined;
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #source: SourceText;
  readonly #asWritten: (path: Path) => boolean;

  constructor(source: SourceText, asWritten: (path: Path) => boolean) {
    this.#source = source;
    this.#asWritten = asWritten;
  }

  complain(offset: number, length: number, message: string): void {
    if (this.problems.length >= mostProblems) return;
    this.problems.push({ ...placeAt(this.#source, offset, length), message });
  }

  #complainOf(node: Node | null, message: string): void {
    const [offset, length] = spanOf(node);
    this.complain(offset, length, message);
  }

  read(node: Node | null, path: Path): unknown {
    if (node === null) return null;
    if (isAlias(node)) {
      this.#complainOf(node, 'aliases are not accepted: write it out');
      return null;
    }
    if (!isMap(node) && !isSeq(node) && !isScalar(node)) return null;
    if (node.anchor !== undefined)
      this.#complainOf(node, `anchors are not accepted: remove &${printable(node.anchor)}`);
    if (node.tag !== undefined) this.#complainOf(node, `tags are not accepted: remove ${printable(node.tag)}`);
    if (isMap(node)) return this.#readMap(node.items as Pair<Node, Node | null>[], path);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item as Node | null, [...path, index]));
    return this.#asWritten(path) && node.value !== null ? textOf(node) : node.value;
  }

  #readMap(pairs: readonly Pair<Node, Node | null>[], path: Path): object {
    const map: Record<string, unknown> = Object.create(null);
    for (const pair of pairs) {
      const key = keyText(pair);
      const complaint = complaintAboutKey(key, map);
      if (complaint !== undefined || key === undefined) {
        this.#complainOf(pair.key, complaint ?? '');
        continue;
      }
      if (isScalar(pair.key) && (pair.key.anchor ?? pair.key.tag) !== undefined) {
        this.#complainOf(pair.key, 'anchors and tags are not accepted');
      }
      map[key] = this.read(pair.value, [...path, key]);
    }
    return map;
  }
}

function complaintAboutKey(key: string | undefined, before: object): string | undefined {
  if (key === undefined) return 'a key must be plain text';
  if (key === '<<') return 'merge keys are not accepted: write it out';
  if (isInheritedName(key)) return `"${key}" is not accepted as a key`;
  if (key in before) return `duplicate key "${printable(key)}"`;
  return undefined;
}

/** A key as it is written, so that the version `1.10` is not the number 1.1; undefined for a blank or a list as key. */
function keyText(pair: Pair<Node, Node | null>): string | undefined {
  const text = isScalar(pair.key) ? textOf(pair.key) : '';
  return text === '' ? undefined : text;
}

function textOf(scalar: Scalar): string {
  return scalar.source ?? String(scalar.value ?? '');
}

/** Offset and length of a node; of a map or list only its first character, of a text only its first line. */
function spanOf(node: Node | null): [number, number] {
  const [start, end] = node?.range ?? [0, 0];
  return [start, isScalar(node) || isAlias(node) ? end - start : 1];
}

function find(root: Node | null, path: Path) {
  let value = root;
  let key: Node | null = null;
  for (const step of path) {
    if (isMap(value)) {
      const pair = (value.items as Pair<Node, Node | null>[]).find((item) => keyText(item) === step);
      if (pair === undefined) break;
      key = pair.key;
      value = pair.value;
    } else if (isSeq(value) && typeof step === 'number' && step < value.items.length) {
      value = value.items[step] as Node | null;
      key = value;
    } else break;
  }
  const isBlank = isScalar(value) && value.value === null && (value.source ?? '') === '';
  const place = (node: Node | null) => (source: SourceText) => placeAt(source, ...spanOf(node));
  return { key: place(key ?? root), value: place(isBlank ? key : (value ?? key ?? root)) };
}
