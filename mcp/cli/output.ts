/** What the command line prints: results on stdout, everything else on stderr, so `--json` never mixes with words. */
import { styleText } from 'node:util';
import { McpError } from '../../specs/errors.ts';
import { problemsOf, renderProblems } from '../../specs/problems.ts';

/** Documented exit codes of every command. */
export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, changes: 4 } as const;

/** Exit code of an error: bad input 2, a guard's refusal 3, anything else 1. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof McpError)) return exitCodes.failed;
  if (/^(SPEC_|USAGE_|AGENT_BAD_CONFIG$|EXPLAIN_QUESTION$)/.test(error.code)) return exitCodes.usage;
  if (error.code.startsWith('REFUSED_') || error.code === 'GENERATION_STALE') return exitCodes.refused;
  return exitCodes.failed;
}

export type Style = Parameters<typeof styleText>[0];

/** Colour where `on`, plain text otherwise. */
export function paint(on: boolean, style: Style, text: string): string {
  return on ? styleText(style, text, { validateStream: false }) : text;
}

/** Text of several lines, the second and later ones indented. */
export function indented(text: string, by: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(by)}`);
}

/** An error as people read it: what happened, its code, what they can do. */
export function renderError(error: unknown, color: boolean): string {
  const head = paint(color, ['red', 'bold'], 'error');
  if (!(error instanceof McpError)) {
    return `${head} [INTERNAL] ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  const problems = problemsOf(error);
  if (problems.length > 0) return `${renderProblems(problems, { color })}\n${head} [${error.code}] nothing was changed`;
  const lines = [`${head} [${error.code}] ${error.message}`];
  if (error.hint) lines.push(`  ${paint(color, 'cyan', 'try')}: ${error.hint}`);
  if (error.cause instanceof Error && error.cause.message !== error.message)
    lines.push(`  because: ${error.cause.message}`);
  return lines.join('\n');
}

/** An error as `--json` gives it (on stderr). */
export function errorJson(error: unknown): object {
  if (error instanceof McpError) {
    const { code, message, hint, retryable, details } = error;
    return { error: { code, message, hint, retryable, details } };
  }
  return {
    error: { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), retryable: false },
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ANSI escapes start with one.
const ansi = /\x1b\[[0-9;]*m/g;

function width(text: string): number {
  return text.replace(ansi, '').length;
}

/** Rows in columns that line up; the first row is the head. Cells may hold colour. */
export function table(rows: string[][], color: boolean): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, width(cell))), []);
  const line = (row: string[]) =>
    row
      .map((cell, at) => cell + ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(cell))))
      .join('  ')
      .trimEnd();
  return rows.map((row, at) => (at === 0 ? paint(color, 'dim', line(row)) : line(row))).join('\n');
}

/** `340 ms`, `1.2 s`, `4 min`: how long something took, for tables. */
export function took(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : ago(ms);
}

/** `3 s`, `4 min`, `2 h`, `5 d`: how long ago, for tables. */
export function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
