/**
 * A file that is kept as a list of pieces, which nginx's Lua code sends one after the other (nginx/lua/mcp/pieces.lua): so a change
 * writes the pieces that changed, and the list. The list of `openapi.json` is `openapi.json.pieces`. Pure.
 */

/** A range of bytes in a file of the folder of pieces. Such a file never changes: its name stands for its content. */
interface Range {
  name: string;
  offset: number;
  length: number;
}

export const listSuffix = '.pieces';

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

/**
 * `body`: lines of ranges, of `length` bytes in all. `digest`: hex, of what the lines and the files that they name are made of, so that
 * it stands for the text: a strong ETag. `modified`: s since the Unix epoch.
 */
export function listText(body: string, digest: string, length: number, modified: number): string {
  return `mcp-pieces 1 ${digest.slice(0, 32)} ${modified} ${length}\n${body}`;
}

/** Undefined where it is none. */
export function readList(text: string): { modified: number; ranges: Range[] } | undefined {
  const [head = '', ...lines] = text.split('\n');
  const [, modified] = /^mcp-pieces 1 [0-9a-f]+ (\d+) \d+$/.exec(head) ?? [];
  if (modified === undefined) return undefined;
  const ranges = lines.flatMap((line) => {
    const [name = '', offset, length] = line.split(' ');
    return name === '' ? [] : { name, offset: Number(offset), length: Number(length) };
  });
  return { modified: Number(modified), ranges };
}
