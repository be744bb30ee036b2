/** What is wrong in a declared file, and where: the values behind `file:line:column message`, and their rendering. */
import { LineCounter } from 'yaml';
import { McpError } from './errors.ts';

/** A place in a file, with enough of its line to show it. */
export interface Place {
  file: string;
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 code units. */
  column: number;
  /** The line, or the part of a very long one around the place; control characters made visible. */
  source: string;
  /** Where in `source` the place begins, and how many characters it covers (at least 1). */
  caret: number;
  width: number;
}

export interface Problem extends Place {
  message: string;
}

/** A text with its name, in which offsets can be turned into places. */
export interface SourceText {
  file: string;
  text: string;
  lines: LineCounter;
}

const longestSource = 160;
const shownProblems = 20;

export function sourceText(file: string, text: string): SourceText {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return { file, text, lines };
}

/** The place of `length` characters at `offset`; an offset behind the end is the end. */
export function placeAt(source: SourceText, offset: number, length = 1): Place {
  const start = Math.min(offset, source.text.length);
  const { line, col } = source.lines.linePos(start);
  const lineStart = start - (col - 1);
  const newline = source.text.indexOf('\n', lineStart);
  const whole = source.text.slice(lineStart, newline < 0 ? undefined : newline).replace(/\r$/, '');
  const cutAt = whole.length > longestSource ? Math.max(0, col - 1 - longestSource / 2) : 0;
  const shown = whole.slice(cutAt, cutAt + longestSource);
  const caret = col - 1 - cutAt;
  return {
    file: source.file,
    line,
    column: col,
    source: printable(shown),
    caret,
    width: Math.max(1, Math.min(length, shown.length - caret)),
  };
}

/** Text that can't move a terminal's cursor or change its colours; as long as it was. */
export function printable(text: string): string {
  return text
    .replaceAll('\t', ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (hidden) => '\uFFFD'.repeat(hidden.length));
}

/**
 * The error of a file with problems: code SPEC_INVALID, `details.problems` in the file's order.
 * Its message is the first problem, so that it is useful also where only messages are shown.
 */
export function specInvalid(problems: readonly Problem[]): McpError {
  const different = new Map(problems.map((problem) => [headline(problem), problem]));
  const sorted = [...different.values()].sort((a, b) => a.line - b.line || a.column - b.column);
  const first = sorted[0];
  const more = sorted.length > 1 ? ` (and ${sorted.length - 1} more)` : '';
  const message = first === undefined ? 'the file is not valid' : `${headline(first)}${more}`;
  return new McpError('SPEC_INVALID', message, {
    hint: 'Correct the file and try again; what was applied before stays in force.',
    details: { problems: sorted },
  });
}

/** The problems that an error made by `specInvalid` carries; empty for any other error. */
export function problemsOf(error: unknown): Problem[] {
  if (!(error instanceof McpError) || error.code !== 'SPEC_INVALID') return [];
  const { problems } = error.details;
  return Array.isArray(problems) ? problems : [];
}

/** For a terminal: each problem with its line and a caret under the place. No newline at the end. */
export function renderProblems(problems: readonly Problem[], options: { color: boolean }): string {
  const paint = (codes: string, text: string) => (options.color ? `\u001b[${codes}m${text}\u001b[0m` : text);
  const blocks = problems.slice(0, shownProblems).map((problem) => {
    const number = String(problem.line);
    const margin = ' '.repeat(number.length);
    return [
      `${paint('1', `${problem.file}:${problem.line}:${problem.column}`)} ${paint('31', problem.message)}`,
      `  ${paint('2', `${number} |`)} ${problem.source}`,
      `  ${paint('2', `${margin} |`)} ${' '.repeat(problem.caret)}${paint('31', '^'.repeat(problem.width))}`,
    ].join('\n');
  });
  if (problems.length > shownProblems) blocks.push(`... and ${problems.length - shownProblems} more`);
  return blocks.join('\n');
}

function headline(problem: Problem): string {
  return `${problem.file}:${problem.line}:${problem.column} ${problem.message}`;
}
