/** What nginx's workers answer their daemon (nginx/lua/phases/admin.lua), from its bytes; no more of HTTP than they speak. */

export interface AdminAnswer {
  status: number;
  /** Each line's words. */
  lines: string[][];
}

export class AnswerReader {
  readonly #parts: Buffer[] = [];
  /** Bytes still to come; null until the head is there. */
  #missing: number | null = null;

  /** True until the first byte came. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  /** The answer and whether the connection can be used again; null while a part is missing. Throws where it does not say how long it is. */
  push(part: Buffer): { answer: AdminAnswer; isKept: boolean } | null {
    this.#parts.push(part);
    this.#missing = this.#missing === null ? missingOf(Buffer.concat(this.#parts)) : this.#missing - part.length;
    if (this.#missing === null || this.#missing > 0) return null;
    const bytes = Buffer.concat(this.#parts);
    const end = bytes.indexOf(headEnd);
    const head = bytes.toString('latin1', 0, end);
    const lines = bytes.toString('utf8', end + headEnd.length).split('\n');
    const answer = {
      status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0),
      lines: lines.flatMap((line) => (line === '' ? [] : [line.split(' ')])),
    };
    // More than was asked for: nothing that follows would be an answer.
    return { answer, isKept: this.#missing === 0 && !/^connection: *close/im.test(head) };
  }
}

const headEnd = '\r\n\r\n';

/** Null while even the head is not there. A cut-off list must never be taken for a whole one, so only a length tells the end. */
function missingOf(bytes: Buffer): number | null {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return null;
  const length = /^content-length: *(\d+)/im.exec(bytes.toString('latin1', 0, end))?.[1];
  if (length === undefined) throw new Error('the answer does not say how long it is');
  return end + headEnd.length + Number(length) - bytes.length;
}
