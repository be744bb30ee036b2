import { sha256 } from '../../specs/digest.ts';

/**
 * A file that is kept as a list of pieces, which nginx's Lua code sends one after the other (nginx/lua/mcp/pieces.lua): so a change
 * writes the pieces that changed, and the list. The list of `openapi.json` is `openapi.json.pieces`. Pure.
 */

/** A range of bytes in a file of the folder of pieces. Such a file never changes: its name stands for its content. */
export interface Range {
  name: string;
  offset: number;
  length: number;
}

export const listSuffix = '.pieces';

/** `modified`: s since the Unix epoch. */
export function listText(ranges: readonly Range[], modified: number): string {
  const lines: string[] = [];
  let length = 0;
  for (const range of ranges) {
    lines.push(`${range.name} ${range.offset} ${range.length}\n`);
    length += range.length;
  }
  const body = lines.join('');
  // The names stand for what is in the files, so this stands for the text: a strong ETag.
  return `mcp-pieces 1 ${sha256(body).slice(0, 32)} ${modified} ${length}\n${body}`;
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

/** Ranges one after the other; those that follow each other in one file are one. */
export class RangeList {
  readonly ranges: Range[] = [];

  add(name: string, offset: number, length: number): void {
    if (length === 0) return;
    const last = this.ranges.at(-1);
    if (last?.name === name && last.offset + last.length === offset) last.length += length;
    else this.ranges.push({ name, offset, length });
  }
}
