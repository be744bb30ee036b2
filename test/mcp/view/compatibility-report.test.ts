import test from 'ava';
import { renderCompatibility } from '../../../mcp/cli/render-compatibility.ts';
import { compatibilityReport, summaryOf } from '../../../mcp/view/compatibility-report.ts';
import { compareDocuments } from '../../../proxy-daemon/document/compat/compare-documents.ts';
import { smallDocument } from '../../helpers/document-server.ts';

const live = smallDocument(['/things', '/things/{id}', '/old']);
const subject = { service: 'dns', live: '1.0.0', next: '2.0.0' };

function reportOf(paths: string[]) {
  return compatibilityReport(compareDocuments(live, smallDocument(paths)), subject);
}

test('what breaks callers is told in words and as a table, the worst first', (t) => {
  const report = reportOf(['/things']);
  t.is(report.verdict, 'breaking');
  t.deepEqual(
    report.findings.map(({ words }) => words),
    ['GET /things/{id} is gone', 'GET /old is gone'],
  );
  t.is(summaryOf(report), '2 changes break callers');
  const text = renderCompatibility(report, { color: false });
  t.regex(text, /^dns 1\.0\.0 -> 2\.0\.0: 2 changes break callers/);
  t.regex(text, /breaking +GET \/things\/\{id\} +operation +GET \/things\/\{id\} is gone/);
});

test('safe changes are told as such and listed only when asked for', (t) => {
  const same = reportOf(['/things', '/things/{id}', '/old']);
  t.is(summaryOf(same), 'nothing changed for callers');
  const more = reportOf(['/things', '/things/{id}', '/old', '/new']);
  t.is(summaryOf(more), '1 change for callers, all safe');
  t.is(renderCompatibility(more, { color: false }), 'dns 1.0.0 -> 2.0.0: 1 change for callers, all safe');
  t.regex(renderCompatibility(more, { color: false, all: true }), /safe +GET \/new/);
});

test('a report is bounded whatever two documents differ in, and counts what it leaves out', (t) => {
  const many = smallDocument(Array.from({ length: 500 }, (_, index) => `/p${index}`));
  const report = compatibilityReport(compareDocuments(many, live), subject);
  t.is(report.counts.breaking, 500);
  t.is(report.findings.length + report.leftOut, 503);
  t.true(JSON.stringify(report).length < 50_000);
  const shared = { ...many, components: { schemas: { Error: { type: 'string' } } } };
  const [found] = compatibilityReport(compareDocuments(many, shared), subject).findings;
  t.is(found?.where.operations.length, 10);
  t.is(found?.operationsLeftOut, 490);
});
