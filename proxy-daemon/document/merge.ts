import { componentSections } from './grammar.ts';
import type { Json, JsonObject } from './json.ts';
import type { Fragment, LeftOut } from './namespace.ts';
import { writeYaml } from './write-yaml.ts';

/**
 * The merged document, joined from parts that were written out once each: one changed document costs its own part and a
 * list of what is beside it, never a merge. That works because services' parts share no name (see namespace.ts). Pure.
 */

/** The sections of a document that services' fragments add to, in the order in which they are written. */
export const sections = [
  'tags',
  'x-tagGroups',
  'paths',
  'webhooks',
  ...componentSections.map((section) => `components/${section}` as const),
] as const;
export type Section = (typeof sections)[number];

/** All sections: after what services say comes what the gateway says of them. */
export const documentSections = [...sections, 'x-mcp-source', 'x-mcp-left-out'] as const;
type DocumentSection = (typeof documentSections)[number];
const lists: ReadonlySet<DocumentSection> = new Set(['tags', 'x-tagGroups', 'x-mcp-source', 'x-mcp-left-out']);
/** Must be there even where no service has any. */
const always: ReadonlySet<DocumentSection> = new Set(['paths', 'x-mcp-source', 'x-mcp-left-out']);

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
export type WrittenPart = Partial<Record<DocumentSection, Piece>>;

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
}

/** What the gateway says of one service. */
export interface Told {
  sources: readonly SourceNote[];
  leftOut: readonly LeftOut[];
}

/** What stands before the sections, as a value. */
function headOf({ generation, title, description }: Head): JsonObject {
  return {
    ...(generation === undefined ? {} : { 'x-mcp-generation': generation }),
    openapi: '3.1.0',
    info: { title, ...(description === '' ? {} : { description }), version: '1' },
    servers: [{ url: '/', description: 'This gateway' }],
  };
}

/** What stands around the parts of a document: texts, and where the parts of which section stand between them. */
export type Frame = readonly (string | { section: string })[];
type HasSection = (section: string) => boolean;

/** The frame of the document as JSON; `has`: the sections that any part adds to. */
export function frameJson(head: Head, has: HasSection): Frame {
  const frame: (string | { section: string })[] = [JSON.stringify(headOf(head)).slice(0, -1)];
  let inComponents = false;
  for (const name of documentSections) {
    if (!has(name) && !always.has(name)) continue;
    const [top = '', section] = name.split('/');
    const [open, close] = lists.has(name) ? ['[', ']'] : ['{', '}'];
    const before = inComponents === (section !== undefined) ? ',' : inComponents ? '},' : ',"components":{';
    frame.push(`${before}"${section ?? top}":${open}`, { section: name }, close);
    inComponents = section !== undefined;
  }
  return [...frame, '}'];
}

/** The same as YAML. */
export function frameYaml(head: Head, has: HasSection): Frame {
  const frame: (string | { section: string })[] = [writeYaml(headOf(head))];
  let parent = '';
  for (const name of documentSections) {
    const [top = '', section] = name.split('/');
    if (!has(name)) {
      if (always.has(name)) frame.push(`${top}: ${lists.has(name) ? '[]' : '{}'}\n`);
      continue;
    }
    if (section === undefined) frame.push(`${top}:\n`);
    else frame.push(parent === top ? `  ${section}:\n` : `${top}:\n  ${section}:\n`);
    parent = top;
    frame.push({ section: name });
  }
  return frame;
}

/** The frame of the list of all services, for the page that shows them. */
export function frameList({ title }: Head): Frame {
  return [`{"title":${JSON.stringify(title)},"services":[`, { section: 'services' }, ']}'];
}

/** A comma as a stored block of its own (RFC 1951, 3.2.4): there is one for each service and section. */
export const comma: Required<Piece> = {
  text: Uint8Array.of(0x2c),
  packed: Uint8Array.of(0, 1, 0, 0xfe, 0xff, 0x2c),
};

const encoder = new TextEncoder();

/** The pieces of a document: the frame, filled with what is given for each of its sections. */
export function fillFrame(frame: Frame, pieces: (section: string) => readonly Piece[]): Piece[] {
  return frame.flatMap((one) => (typeof one === 'string' ? { text: encoder.encode(one) } : pieces(one.section)));
}
