/** The report on a change of version for the terminal. */
import type { OperationName, Severity } from '../../proxy-daemon/document/compat/finding.ts';
import { operationWords } from '../../proxy-daemon/document/compat/operation-side.ts';
import { type CompatibilityReport, type ReportedFinding, summaryOf } from '../view/compatibility-report.ts';
import { paint, type Style, table } from './output.ts';

const styles: Record<Severity, Style> = { breaking: 'red', risky: 'yellow', safe: 'green' };

/** Findings as a table, the worst first, with a line on the whole; safe ones only where asked for. */
export function renderCompatibility(
  report: CompatibilityReport,
  { color, all = false }: { color: boolean; all?: boolean },
): string {
  const shown = report.findings.filter(({ severity }) => all || severity !== 'safe');
  const rows = shown.map((found) => [
    paint(color, styles[found.severity], found.severity),
    operationsOf(found),
    placeWords(deeper(found.where.live, found.where.next)),
    found.words,
  ]);
  const head = `${report.service} ${report.live} -> ${report.next}: ${summaryOf(report)}`.trimStart();
  const left = report.leftOut > 0 ? [`and ${report.leftOut} more`] : [];
  const columns = ['', 'operation', 'where', 'what'];
  const body = rows.length > 0 ? [table([columns, ...rows], color)] : [];
  return [paint(color, styles[report.verdict], head), ...body, ...left].join('\n');
}

function operationsOf({ where, operationsLeftOut }: ReportedFinding): string {
  const [first, ...others] = where.operations;
  if (first === undefined) return '-';
  const more = others.length + operationsLeftOut;
  return `${operationWords(first as OperationName)}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Where something came or went, only one of the documents has the place itself. */
function deeper(live = '', next = ''): string {
  return next.length > live.length ? next : live;
}

/** A JSON Pointer as people would say it: `Record.name`, `answer 200 .items[]`, `parameter 2`. */
function placeWords(pointer: string): string {
  const tokens = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const [root, , name, ...rest] = tokens;
  if (root === 'components' && name !== undefined) return `${name}${innerWords(rest)}`;
  if (root === 'paths') return pathWords(tokens.slice(2));
  return tokens.join(' ') || '-';
}

function pathWords(tokens: string[]): string {
  const at = tokens.indexOf('schema');
  const inner = at < 0 ? '' : innerWords(tokens.slice(at + 1));
  const outer = at < 0 ? tokens : tokens.slice(0, at);
  const parameter = outer.indexOf('parameters');
  if (parameter >= 0) return `parameter ${Number(outer[parameter + 1]) + 1}${inner}`;
  if (outer.includes('requestBody')) return `body${inner}`;
  const response = outer.indexOf('responses');
  if (response >= 0) return `answer ${outer[response + 1] ?? ''}${inner}`.trimEnd();
  return outer.slice(1).join(' ') || 'operation';
}

/** Keywords of schemas, short: properties are `.name`, items `[]`; which alternative it is says little and is left out. */
function innerWords(tokens: readonly string[]): string {
  const [keyword, name = '', ...rest] = tokens;
  if (keyword === undefined) return '';
  if (keyword === 'properties') return `.${name}${innerWords(rest)}`;
  if (keyword === 'prefixItems') return `[${name}]${innerWords(rest)}`;
  if (['allOf', 'anyOf', 'oneOf'].includes(keyword)) return innerWords(rest);
  const own = { items: '[]', additionalProperties: '.*' }[keyword] ?? ` ${keyword}`;
  return `${own}${innerWords(tokens.slice(1))}`;
}
