import test from 'ava';
import { renderReport } from '../../../mcp/cli/render-ab.ts';
import { trialVersions } from '../../../mcp/declare/trials.ts';
import { abReport, type SideView } from '../../../mcp/view/ab-report.ts';
import type { VersionFigures } from '../../../registrar/rollout-records.ts';
import { service, version } from '../../helpers/world.ts';

const declared = service('dns', [version('1.2.0', 2, { weight: 90 }), version('1.3.0', 1, { weight: 10 })]);
const sides: SideView[] = [
  { version: '1.2.0', desired: 2, live: 2, weight: 90, share: 0.9 },
  { version: '1.3.0', desired: 1, live: 1, weight: 10, share: 0.1 },
];

function figures(version: string, requests: number, errors: number, slow = 0): VersionFigures {
  return { version, requests, errors, latency: { bounds: [10, 100], counts: [requests - slow, slow, 0] } };
}

function reportOf(older: [number, number, number?], newer: [number, number, number?]) {
  return abReport(declared, sides, [figures('1.2.0', ...older), figures('1.3.0', ...newer)], null);
}

test('a version that fails more often, or answers more slowly, is told from one that does not', (t) => {
  const [worse] = reportOf([9000, 0], [1000, 93]).comparisons;
  t.is(worse?.errors?.finding, 'more');
  t.true((worse?.errors?.low ?? 0) > 0.07 && (worse?.errors?.high ?? 1) < 0.12);
  t.is(worse?.slow?.finding, 'unclear');
  t.is(reportOf([9000, 900], [1000, 10]).comparisons[0]?.errors?.finding, 'fewer');
  t.is(reportOf([9000, 3], [1000, 1]).comparisons[0]?.errors?.finding, 'unclear');
  t.is(reportOf([9000, 0], [1000, 0, 300]).comparisons[0]?.slow?.finding, 'more');
});

test('too few requests are said to be too few', (t) => {
  const report = reportOf([9000, 0], [49, 49]);
  t.is(report.comparisons[0]?.errors, null);
  t.regex(
    renderReport(report, false),
    /1\.3\.0 against 1\.2\.0\n {2}too few requests to tell: 49 and 9000; each needs 50/,
  );
  t.regex(renderReport(abReport(declared, sides, [], null), false), /too few requests to tell: 0 and 0/);
});

test('it is counted since the weights held, or it says why not', (t) => {
  const trial = {
    service: 'dns',
    versions: trialVersions(declared),
    by: 'operator:ann',
    reason: 'ab',
    at: Date.UTC(2026, 0, 2, 3, 4, 5),
    baseline: [figures('1.2.0', 5000, 700)],
  };
  const now = [figures('1.2.0', 5090, 700), figures('1.3.0', 110, 0)];
  const report = abReport(declared, sides, now, trial);
  t.deepEqual(
    report.versions.map(({ requests, errors }) => [requests, errors]),
    [
      [90, 0],
      [110, 0],
    ],
  );
  t.regex(renderReport(report, false), /counted since 2026-01-02 03:04:05Z/);
  const anew = abReport(declared, sides, [figures('1.2.0', 60, 0)], trial);
  t.is(anew.since, null);
  t.regex(renderReport(anew, false), /since nginx started: a gateway began anew to count/);
});

test('the table holds counts, the rate with its interval, and upper bounds of the latency', (t) => {
  t.is(
    renderReport(reportOf([900, 0, 20], [100, 2, 3]), false),
    `dns  counted since nginx started: nobody waited for these weights with mcp ab
VERSION  WEIGHT  LIVE  REQUESTS      ERRORS  ERROR RATE (95 %)       P50       P95       P99
1.2.0    90      2/2   900 (90.0 %)  0       0.0 % (0.0 % to 0.4 %)  <= 10 ms  <= 10 ms  <= 100 ms
1.3.0    10      1/1   100 (10.0 %)  2       2.0 % (0.6 % to 7.0 %)  <= 10 ms  <= 10 ms  <= 100 ms

1.3.0 against 1.2.0
  errors   more: 2.0 %, of 1.2.0 0.0 %; the difference is 0.5 % to 7.0 % (95 %)
  latency  no difference seen: 3.0 % took more than 10 ms, of 1.2.0 2.2 %; the difference is -1.5 % to 6.3 % (95 %)`,
  );
});

test('what came of copies of requests is told with where one of them deviated', (t) => {
  const example = {
    ...{ at: Date.UTC(2026, 0, 2, 3, 4, 5), against: '1.2.0', operation: 'GET /zones/{id}', status: 200 },
    ...{ basis: 'document' as const, where: '/0/name', expected: 'string', found: 'integer' },
  };
  const copies = { same: 98, differing: 1, failed: 1, leftOut: 0, conforming: 40, deviating: 2, example };
  const figured = [figures('1.2.0', 100, 0), figures('1.3.0', 0, 0)];
  const told = (found: typeof copies) =>
    renderReport(abReport(declared, sides, figured, null, new Map([['1.3.0', found]])), false);
  t.regex(
    told(copies),
    /\n\nmirrored to dns 1\.3\.0: 98 answered by the same status, 1 by another, 1 not at all; 0 not sent\n {2}bodies: 40 of 42 compared had the same shape, 2 another\n {2}last: GET \/zones\/\{id\} 200, \/0\/name: integer, where the document of 1\.2\.0 says string \(2026-01-02 03:04:05Z\)/,
  );
  t.regex(told({ ...copies, conforming: 0, deviating: 0 }), /bodies: none compared/);
});
