import test from 'ava';
import { judgeFigures, sinceThen, wilson } from '../../../mcp/rollout/judge-figures.ts';
import type { VersionFigures } from '../../../registrar/rollout-records.ts';
import { SmallService } from './small-service.ts';

const settings = { minRequests: 50, errorTolerance: 0.01, slowTolerance: 0.1, patienceMs: 30_000 };

function figures(version: string, requests: number, errors: number, slow = 0): VersionFigures {
  return { version, requests, errors, latency: { bounds: [10, 100], counts: [requests - slow, 0, slow] } };
}

function judge(old: [number, number, number?], now: [number, number, number?]) {
  return judgeFigures([figures('1', ...old)], [figures('2', ...now)], settings).result;
}

test("Wilson's interval is that of the textbooks", (t) => {
  const [low, high] = wilson(10, 100);
  t.true(Math.abs(low - 0.0552) < 0.0005 && Math.abs(high - 0.1744) < 0.0005);
  t.deepEqual(wilson(0, 100)[0], 0);
});

test('errors of the new version: bad where surely more, good where not, few where there are too few', (t) => {
  t.is(judge([1000, 0], [200, 10]), 'bad', '5 % against none');
  t.is(judge([1000, 0], [1000, 0]), 'good');
  t.is(judge([1000, 50], [1000, 52]), 'good', 'the old one fails as often');
  t.is(judge([1000, 0], [49, 49]), 'few');
  t.is(judge([49, 0], [1000, 50]), 'few');
  t.is(judge([200, 0], [60, 1]), 'unsure', 'one of sixty may be chance');
});

test('slow answers count as errors do', (t) => {
  t.is(judge([1000, 0], [500, 0, 250]), 'bad');
  t.is(judge([1000, 0, 20], [500, 0, 12]), 'good');
});

test('counters that began anew are noticed', (t) => {
  t.is(sinceThen(figures('1', 5, 0), figures('1', 10, 0)), null);
  t.is(sinceThen(figures('1', 15, 2), figures('1', 10, 1))?.requests, 5);
});

test('a version that answers 5 % errors is taken back, with the figures as evidence', (t) => {
  const small = new SmallService();
  let requests = 0;
  small.run(600, () => {
    requests += 100;
    small.figures = [figures('1.0.0', requests, 0), figures('2.0.0', requests / 2, Math.round(requests / 40))];
  });
  t.is(small.record.phase, 'reverted');
  t.regex(small.record.evidence.join('\n'), /errors: 5\.0 % of the new, 0\.0 % of the old/);
});

test('figures that do not tell hold it for a while, then for a person; none at all do not', (t) => {
  const small = new SmallService({ settings: { analysis: settings } });
  let seen = 0;
  small.run(120, () => {
    seen += 1;
    small.figures = seen < 3 ? [figures('1.0.0', 0, 0)] : [figures('1.0.0', 200, 0), figures('2.0.0', 60, 1)];
  });
  t.is(small.record.hold?.kind, 'inconclusive');
  t.is(new SmallService().run().record.phase, 'done');
});
