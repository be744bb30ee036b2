import test from 'ava';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { JsonObject } from '../../../proxy-daemon/document/json.ts';
import { writeYaml } from '../../../proxy-daemon/document/write-yaml.ts';

const awkward = fc.constantFrom(
  ...['', ' ', '\n', 'a\n', 'a\n\n', '\na', ' a\nb', 'a\n b\n', 'a \n', 'a\n ', 'yes', 'No', 'null', '~', '1.0', '0x1'],
  ...[
    '2001-01-01',
    '#a',
    'a # b',
    'a: b',
    '- a',
    '? a',
    '!a',
    '&a',
    '*a',
    '%a',
    '@a',
    '`a',
    '"a"',
    "'a'",
    '{a}',
    '[a]',
  ],
  ...['a:', '\t', 'a\tb', '\u0085', '\u2028', '\ufeff', '\ud800', 'é', '/{id}', '$ref', 'x'.repeat(1500), '---', '...'],
);
const text = fc.oneof(awkward, fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[ab\n #:-]{0,12}$/));
const { value } = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(
    text.filter((key) => key !== '__proto__'),
    tie('value'),
    { maxKeys: 3 },
  ) as fc.Arbitrary<JsonObject>,
}));

test('whatever is written as YAML is read as the same value', (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        value,
        { maxKeys: 4 },
      ),
      (written) => {
        const plain = JSON.parse(JSON.stringify(written)) as JsonObject;
        t.deepEqual(parse(writeYaml(plain), { maxAliasCount: 0 }), plain);
      },
    ),
    { numRuns: 500 },
  );
});

test('YAML is for people: plain words, blocks of text, lists below their key', (t) => {
  const written = writeYaml({
    a: 'plain words',
    list: [{ b: 1, c: 'two\nlines\n' }, []],
    'not plain:': 'yes',
    none: {},
  });
  t.is(
    written,
    'a: plain words\nlist:\n  - b: 1\n    c: |\n      two\n      lines\n  - []\n"not plain:": "yes"\nnone: {}\n',
  );
});
