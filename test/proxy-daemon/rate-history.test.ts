import test from 'ava';
import { RateHistory, type RatesReport } from '../../proxy-daemon/rate-history.ts';
import type { VersionFigures } from '../../proxy-daemon/version-figures.ts';

function reportOf(history: RateHistory): RatesReport {
  const work = history.report();
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

const bounds = [1, 10, 100];

function counted(
  service: string,
  version: string,
  requests: number,
  errors5xx: number,
  counts: number[],
): VersionFigures {
  return { service, version, requests, errors5xx, retries: 0, latencyMs: { bounds, counts, sum: 0 } };
}

test('rates are by sample, figures of the last minute, and services without requests are left out', (t) => {
  const history = new RateHistory();
  t.is(reportOf(history).total.recent, null);
  history.add({
    at: 1000,
    since: 1,
    versions: [counted('a', '1', 100, 50, [100, 0, 0, 0]), counted('b', '1', 7, 0, [7, 0, 0, 0])],
  });
  t.is(reportOf(history).total.recent, null, 'one reading tells nothing');
  const next = [
    counted('a', '1', 120, 50, [110, 10, 0, 0]),
    counted('a', '2', 20, 10, [0, 0, 19, 1]),
    counted('b', '1', 7, 0, [7, 0, 0, 0]),
  ];
  history.add({ at: 3000, since: 1, versions: next });
  history.add({ at: 3000, since: 1, versions: next });
  const { total, services, seconds } = reportOf(history);
  t.is(seconds, 2);
  t.deepEqual(total, { rates: [20], recent: { rate: 20, errors: 0.25, p50: 10, p99: -1 } });
  t.deepEqual(Object.keys(services), ['a']);
  t.deepEqual(services.a?.versions['1'], { rate: 10, errors: 0, p50: 1, p99: 10 });
  t.deepEqual(services.a?.versions['2'], { rate: 10, errors: 0.5, p50: 100, p99: -1 });
});

test('old samples go, a service that is quiet for all of them too, and counters that begin anew are no requests', (t) => {
  const history = new RateHistory();
  const at = (n: number, requests: number, since = 1) =>
    history.add({ at: n * 2000, since, versions: [counted('a', '1', requests, 0, [requests, 0, 0, 0])] });
  at(1, 0);
  at(2, 10);
  for (let n = 3; n <= 70; n += 1) at(n, 10);
  const quiet = reportOf(history);
  t.is(quiet.total.rates.length, 60);
  t.is(quiet.services.a, undefined);
  t.true(quiet.seconds <= 75);
  at(71, 4, 2);
  at(72, 6, 2);
  t.is(reportOf(history).services.a?.recent.rate, 1);
  t.is(reportOf(history).total.rates.at(-1), 1);
});
