/** What changes from one generation to the next, as the text that nginx/lua/mcp/message-text.lua reads. Pure. */

export interface TableMessage {
  generation: number;
  /** The generation in force that this changes; null: this is everything there is. */
  base: number | null;
  /** Numbers of path segments that prefixes have. */
  depths: readonly number[];
  /** Prefixes for the 404 answer. */
  listed: readonly string[];
  /** Prefix and entry. */
  set: readonly (readonly [string, string])[];
  remove: readonly string[];
}

/** Ends in a line `end`, so that a torn one is told. Prefixes and entries hold no line end (see routes/service-entry.ts). */
export function messageText(message: TableMessage): string {
  return [...messageLines(message)].join('');
}

/** The same, for one that may be long: each with its line end. */
export function* messageLines({ generation, base, depths, listed, set, remove }: TableMessage): Generator<string> {
  yield `generation ${generation}\n`;
  yield base === null ? 'full\n' : `base ${base}\n`;
  yield `depths ${[...depths].sort((a, b) => b - a).join(',')}\n`;
  yield `listed ${JSON.stringify(listed)}\n`;
  for (const prefix of remove) yield `remove ${prefix}\n`;
  for (const [prefix, entry] of set) yield `set ${prefix} ${entry}\n`;
  yield 'end\n';
}

/** A message as read back. */
export type StoredMessage = Pick<TableMessage, 'generation' | 'set' | 'remove'> & {
  full: boolean;
};

/** The whole messages of a text, for a daemon that starts beside what is on disk. */
export function readMessages(text: string): StoredMessage[] {
  return text
    .split(/^end\n/m)
    .slice(0, -1)
    .map(readMessage);
}

function readMessage(text: string): StoredMessage {
  const lines = text.split('\n').map(cut);
  const values = (word: string) => lines.flatMap(([name, rest]) => (name === word ? [rest] : []));
  const value = (word: string) => values(word)[0] ?? '';
  return {
    generation: Number(value('generation')),
    full: lines.some(([name]) => name === 'full'),
    set: values('set').map(cut),
    remove: values('remove'),
  };
}

/** The first word, and what follows the space behind it. */
function cut(line: string): [string, string] {
  const at = line.indexOf(' ');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}
