import test from 'ava';
import { renderCompatibility } from '../../../mcp/cli/render-compatibility.ts';
import { compatibilityReport, type OperationCalls, summaryOf } from '../../../mcp/view/compatibility-report.ts';
import { compareDocuments } from '../../../proxy-daemon/document/compat/compare-documents.ts';
import { smallDocument } from '../../helpers/document-server.ts';

const live = smallDocument(['/things', '/things/{id}', '/old']);
const subject = { service: 'dns', live: '1.0.0', next: '2.0.0' };
const calls = (pathTemplate: string, more: Partial<OperationCalls> = {}): OperationCalls => ({
  service: 'dns',
  method: 'GET',
  pathTemplate,
  calls: 7,
  lastCalledAt: 1_000,
  ...more,
});

function reportOf(counted: OperationCalls[] | null, paths: string[]) {
  return compatibilityReport(compareDocuments(live, smallDocument(paths)), { ...subject, calls: counted });
}

test('the report says whether a removed operation is still being called, whatever its path parameters are named', (t) => {
  const report = reportOf([calls('/things/{name}'), calls('/things', { service: 'domains' })], ['/things']);
  t.is(report.verdict, 'breaking');
  t.deepEqual(
    report.findings.map(({ words, calls: counted }) => [words, counted]),
    [
      ['GET /things/{id} is gone', { calls: 7, lastCalledAt: 1_000 }],
      ['GET /old is gone', { calls: 0, lastCalledAt: null }],
    ],
  );
  t.is(summaryOf(report), '2 changes break callers; requests still meet 1 of what breaks');
  const text = renderCompatibility(report, { color: false, now: 61_000 });
  t.regex(text, /^dns 1\.0\.0 -> 2\.0\.0: 2 changes break callers/);
  t.regex(text, /breaking +GET \/things\/\{id\} +operation +GET \/things\/\{id\} is gone +7 times, last 60 s ago/);
  t.regex(text, /GET \/old is gone +not called/);
});

test('where nobody counts, the report does not claim that nothing is called', (t) => {
  const report = reportOf(null, ['/things', '/old']);
  t.is(report.findings[0]?.calls, null);
  t.is(summaryOf(report), '1 change breaks callers');
  t.notRegex(renderCompatibility(report, { color: false, now: 0 }), /called/);
});

test('safe changes are told as such and listed only when asked for', (t) => {
  const same = reportOf(null, ['/things', '/things/{id}', '/old']);
  t.is(summaryOf(same), 'nothing changed for callers');
  const more = reportOf(null, ['/things', '/things/{id}', '/old', '/new']);
  t.is(summaryOf(more), '1 change for callers, all safe');
  t.is(renderCompatibility(more, { color: false, now: 0 }), 'dns 1.0.0 -> 2.0.0: 1 change for callers, all safe');
  t.regex(renderCompatibility(more, { color: false, now: 0, all: true }), /safe +GET \/new/);
});

test('a report is bounded whatever two documents differ in, and counts what it leaves out', (t) => {
  const many = smallDocument(Array.from({ length: 500 }, (_, index) => `/p${index}`));
  const report = compatibilityReport(compareDocuments(many, live), { ...subject, calls: [] });
  t.is(report.counts.breaking, 500);
  t.is(report.findings.length + report.leftOut, 503);
  t.true(JSON.stringify(report).length < 50_000);
  const shared = { ...many, components: { schemas: { Error: { type: 'string' } } } };
  const [found] = compatibilityReport(compareDocuments(many, shared), { ...subject, calls: null }).findings;
  t.is(found?.where.operations.length, 10);
  t.is(found?.operationsLeftOut, 490);
});
