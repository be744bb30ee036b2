import { componentSections } from './grammar.ts';
import type { Json, JsonObject } from './json.ts';
import type { Fragment, LeftOut } from './namespace.ts';

/**
 * The merged document, joined from fragments that were written out once each: one changed document costs its own fragment
 * and a concatenation, never a merge. That works because fragments share no name (see namespace.ts). Pure.
 */

/** The parts of a document that fragments add to, in the order in which they are written. */
export const sections = [
  'tags',
  'x-tagGroups',
  'paths',
  'webhooks',
  ...componentSections.map((section) => `components/${section}` as const),
] as const;
export type Section = (typeof sections)[number];
const lists: ReadonlySet<Section> = new Set(['tags', 'x-tagGroups']);

/**
 * Text that stands in a document as it is. `packed` is the same as blocks of raw deflate that end on a byte and refer to nothing
 * before them, so that packed pieces in a row are the packed document; absent: not packed yet.
 */
export interface Piece {
  text: Uint8Array;
  packed?: Uint8Array;
}

/** One service's part of each section, without the brackets around it: JSON members or items, or indented YAML lines. */
export type WrittenFragment = Partial<Record<Section, Piece>>;

/** What the fragment adds to each section, as values: an array's items or an object's members. */
export function sectionsOf(service: string, fragment: Fragment): Map<Section, Json[] | JsonObject> {
  const added = new Map<Section, Json[] | JsonObject>();
  const add = (section: Section, value: Json[] | JsonObject) => {
    if (Object.keys(value).length > 0) added.set(section, value);
  };
  add('tags', fragment.tags);
  add('x-tagGroups', [{ name: service, tags: fragment.tags.map(({ name = null }) => name) }]);
  add('paths', fragment.paths);
  add('webhooks', fragment.webhooks);
  for (const [section, named] of Object.entries(fragment.components)) add(`components/${section}` as Section, named);
  return added;
}

/** Where a service version's part of the document comes from: `x-mcp-source`. Times are ISO 8601. */
export interface SourceNote {
  service: string;
  version: string;
  route: string;
  /** sha256 of the document as it was read. */
  digest: string;
  /** `address:port/path` it was read from. */
  from: string;
  /** When these bytes were first read. */
  readAt: string;
  /** True where reading it again fails; `problem` says why. */
  stale: boolean;
  problem?: string;
  /** Last time that the same bytes were read; only where stale. */
  confirmedAt?: string;
  /** What was repaired in the document, where it breaks the letter of its format. */
  notes?: string[];
}

export interface Head {
  /** The gateway's generation that the document comes with. */
  generation?: number;
  title: string;
  description: string;
  sources: readonly SourceNote[];
  leftOut: readonly LeftOut[];
}

/** What stands before the fragments, as a value. */
export function headOf({ generation, title, description }: Omit<Head, 'sources' | 'leftOut'>): JsonObject {
  return {
    ...(generation === undefined ? {} : { 'x-mcp-generation': generation }),
    openapi: '3.1.0',
    info: { title, ...(description === '' ? {} : { description }), version: '1' },
    servers: [{ url: '/', description: 'This gateway' }],
  };
}

/** What stands after the fragments, as a value. */
export function tailOf({ sources, leftOut }: Pick<Head, 'sources' | 'leftOut'>): JsonObject {
  return { 'x-mcp-source': sources.map((note) => ({ ...note })), 'x-mcp-left-out': leftOut.map((out) => ({ ...out })) };
}

/** The document as JSON text, in pieces to be concatenated. Fragments are given in the order in which they shall appear. */
export function joinJson(head: Head, fragments: readonly WrittenFragment[]): Piece[] {
  const pieces: Piece[] = [encode(JSON.stringify(headOf(head)).slice(0, -1))];
  let inComponents = false;
  for (const name of sections) {
    const parts = fragments.flatMap((fragment) => fragment[name] ?? []);
    // `paths` must be there even when no service has any.
    if (parts.length === 0 && name !== 'paths') continue;
    const [top = '', section] = name.split('/');
    const [open, close] = lists.has(name) ? ['[', ']'] : ['{', '}'];
    if (section === undefined) pieces.push(encode(`,"${top}":${open}`));
    else pieces.push(encode(inComponents ? `,"${section}":{` : `,"components":{"${section}":{`));
    inComponents = section !== undefined;
    parts.forEach((part, index) => {
      pieces.push(...(index === 0 ? [] : [comma]), part);
    });
    pieces.push(encode(close));
  }
  const tail = JSON.stringify(tailOf(head)).slice(1);
  pieces.push(encode(inComponents ? `},${tail}` : `,${tail}`));
  return pieces;
}

/**
 * The document as YAML text, in pieces. `writtenHead` is `headOf` and `writtenTail` is `tailOf`, each a block mapping that ends
 * in a newline; fragments are lines indented as they stand under their section.
 */
export function joinYaml(writtenHead: string, writtenTail: string, fragments: readonly WrittenFragment[]): Piece[] {
  const pieces: Piece[] = [encode(writtenHead)];
  let parent = '';
  for (const name of sections) {
    const parts = fragments.flatMap((fragment) => fragment[name] ?? []);
    const [top = '', section] = name.split('/');
    if (parts.length === 0) {
      // `paths` must be there even when no service has any.
      if (name === 'paths') pieces.push(encode('paths: {}\n'));
      continue;
    }
    if (section === undefined) pieces.push(encode(`${top}:\n`));
    else pieces.push(encode(parent === top ? `  ${section}:\n` : `${top}:\n  ${section}:\n`));
    parent = top;
    pieces.push(...parts);
  }
  pieces.push(encode(writtenTail));
  return pieces;
}

const encoder = new TextEncoder();
/** With its own stored block (RFC 1951, 3.2.4): there is one for each service and section. */
const comma: Piece = { text: encoder.encode(','), packed: Uint8Array.of(0, 1, 0, 0xfe, 0xff, 0x2c) };
function encode(text: string): Piece {
  return { text: encoder.encode(text) };
}
