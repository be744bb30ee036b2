/**
 * Files that are kept as lists of pieces, which nginx's Lua code sends one after the other (nginx/lua/mcp/pieces.lua): so a change
 * writes the pieces that changed, and the lists. All lists of a document are one file, put in its place in one step: one more to be made
 * and removed for each change costs a file system more than what is in it. Pure.
 */

/** A range of bytes in a file of the folder of pieces. Such a file never changes: its name stands for its content. */
interface Range {
  name: string;
  offset: number;
  length: number;
}

/** Raise it whenever lists are written otherwise: what older code wrote is then made anew. */
export const listsForm = 3;
const firstLine = `mcp-lists ${listsForm}\n`;
/** So many bytes of the file have the digest in them. */
export const digestWithin = 200;

/** One range of a list, and how many bytes it has. */
export interface ListLine {
  text: string;
  length: number;
}

export function lineOf(name: string, offset: number, length: number): ListLine {
  return { text: `${name} ${offset} ${length}\n`, length };
}

/** A list in the making. */
export class PieceList {
  readonly #lines: string[] = [];
  length = 0;

  add({ text, length }: ListLine): void {
    this.#lines.push(text);
    this.length += length;
  }

  body(): string {
    return this.#lines.join('');
  }
}

/** One list, as it is written. */
export interface WrittenList {
  /** `openapi.json`, `openapi.json.gz` and so on. */
  file: string;
  /** Lines of ranges, of `length` bytes in all. */
  body: string;
  length: number;
  /** Hex, of what the lines and the files that they name are made of, so that it stands for the text: a strong ETag. */
  digest: string;
  /** s since the Unix epoch. */
  modified: number;
}

/**
 * First the document's digest, then a line for each list, which says where behind these lines its own are: whoever wants one need not
 * read all.
 */
export function listsText(documentDigest: string, lists: readonly WrittenList[]): string {
  let offset = 0;
  const heads = lists.map(({ file, body, length, digest, modified }) => {
    const line = `${file} ${digest.slice(0, 32)} ${modified} ${length} ${offset} ${body.length}\n`;
    offset += body.length;
    return line;
  });
  return [firstLine, `${documentDigest}\n`, ...heads, '\n', ...lists.map(({ body }) => body)].join('');
}

/** One list, as it is read. */
export interface ReadList {
  file: string;
  modified: number;
  ranges: Range[];
}

/** Undefined where these are none, or of another form. */
export function readLists(text: string): { digest: string; lists: ReadList[] } | undefined {
  const end = text.indexOf('\n\n');
  if (!text.startsWith(firstLine) || end < 0) return undefined;
  const [digest = '', ...heads] = text.slice(firstLine.length, end).split('\n');
  const lists = heads.map((head) => {
    const [file = '', , modified, , offset, size] = head.split(' ');
    const from = end + 2 + Number(offset);
    return { file, modified: Number(modified), ranges: rangesIn(text.slice(from, from + Number(size))) };
  });
  return { digest, lists };
}

/** The digest of the document, by the beginning of the file with its lists; null where these are none, or of another form. */
export function digestOfLists(beginning: string): string | null {
  const end = beginning.indexOf('\n', firstLine.length);
  return beginning.startsWith(firstLine) && end > 0 ? beginning.slice(firstLine.length, end) : null;
}

function rangesIn(body: string): Range[] {
  return body.split('\n').flatMap((line) => {
    const [name = '', offset, length] = line.split(' ');
    return name === '' ? [] : { name, offset: Number(offset), length: Number(length) };
  });
}
