import test from 'ava';
import fc from 'fast-check';
import { expositionOf } from '../../../proxy-daemon/metrics/exposition.ts';
import { parseMetrics } from '../../helpers/parse-metrics.ts';

test('whatever a label holds, it is read back as it was, and no line more', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ unit: 'grapheme' })), fc.double(), (texts, value) => {
      const samples = texts.map((text) => ({ labels: { a: text, b: 'x' }, value }));
      const read = parseMetrics(expositionOf([{ name: 'x', type: 'gauge', help: 'a\\b\nc', samples }]));
      t.deepEqual(
        read.map(({ labels }) => labels.a),
        texts,
      );
    }),
  );
});

test('the reader refuses what the format does not allow', (t) => {
  const head = '# HELP a_total b\n# TYPE a_total counter\n';
  t.is(parseMetrics(`${head}a_total 1\n`).length, 1);
  for (const wrong of [
    'a_total 1\n',
    `${head}a_total 1`,
    `${head}b_total 1\n`,
    `${head}a_total{x="1} 1\n`,
    `${head}a_total one\n`,
    `${head}a_total 1\na_total 2\n`,
    `${head}a_total 1\n${head}`,
    '# HELP a b\n# TYPE a counter\na 1\n',
    '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
  ]) {
    t.throws(() => parseMetrics(wrong), undefined, wrong);
  }
});
