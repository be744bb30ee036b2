import test from 'ava';
import fc from 'fast-check';
import { didYouMean, nearMiss } from '../../specs/near-miss.ts';

const keys = ['count', 'weight', 'artifact', 'command', 'port', 'env', 'health', 'on-config-change'];

for (const [word, meant] of [
  ['cuont', 'count'],
  ['counts', 'count'],
  ['Count', 'count'],
  ['on_config_change', 'on-config-change'],
  ['artefact', 'artifact'],
  ['cmd', undefined],
  ['zebra', undefined],
  ['', undefined],
] as const) {
  test(`"${word}" ${meant === undefined ? 'is near to nothing' : `was meant to be ${meant}`}`, (t) => {
    t.is(nearMiss(word, keys), meant);
  });
}

test('the hint is a clause to put behind a message', (t) => {
  t.is(`unknown service "dsn"${didYouMean('dsn', ['dns', 'domains'])}`, 'unknown service "dsn", did you mean "dns"?');
  t.is(didYouMean('zebra', ['dns']), '');
});

test('a known word is its own nearest, whatever else is known', (t) => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(words, fc.nat(), (known, pick) => {
      const word = known[pick % known.length] ?? '';
      return nearMiss(word, known) === word;
    }),
  );
  t.pass();
});
