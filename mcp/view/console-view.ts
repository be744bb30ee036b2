/** What a machine's console showed, as lines. Pure: it is a stranger's text, made safe for a terminal here. */
import { stripVTControlCharacters } from 'node:util';

export interface ConsoleLine {
  /** `machine`: its kernel, or whatever else writes to its console. */
  from: 'agent' | 'service' | 'machine';
  text: string;
}

/** Lines of a whole text, the last one also where it is not ended yet. */
export function consoleLines(text: string): ConsoleLine[] {
  const splitter = new LineSplitter();
  return [...splitter.take(text), ...splitter.take('\n')];
}

/** Splits what comes in parts. */
export class LineSplitter {
  #rest = '';

  /** The lines that end in this part. */
  take(part: string): ConsoleLine[] {
    const lines = (this.#rest + part).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map(parseLine).filter(({ text }) => text !== '');
  }
}

function parseLine(line: string): ConsoleLine {
  const clean = stripVTControlCharacters(line).replace(/[^\P{Cc}\t]/gu, '');
  const [, from, text] = /^(agent|service): (.*)$/.exec(clean) ?? [];
  return text === undefined ? { from: 'machine', text: clean } : { from: from as ConsoleLine['from'], text };
}
