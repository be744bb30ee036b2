import test from 'ava';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { placeAt, problemsOf, renderProblems, sourceText, specInvalid } from '../../specs/problems.ts';
import { problemsIn, withVersion } from '../helpers/environment-text.ts';

test('a problem is shown with its line and a caret under its place', (t) => {
  const problems = problemsIn(withVersion('{ cuont: 1, command: [node], port: 80 }'));
  t.is(
    renderProblems(problems, { color: false }),
    [
      'env.yaml:5:16 unknown key "cuont", did you mean "count"?',
      '  5 |       1.0.0: { cuont: 1, command: [node], port: 80 }',
      '    |                ^^^^^',
    ].join('\n'),
  );
});

test('colours are only used when asked for', (t) => {
  const problems = problemsIn('x: 1\n');
  t.false(renderProblems(problems, { color: false }).includes('\u001b'));
  t.true(renderProblems(problems, { color: true }).includes('\u001b[31m'));
});

test('the error says the first problem and how many more there are', (t) => {
  const error = t.throws(() =>
    parseEnvironment(Buffer.from('environment: E\nx: 1\ny: 2\nservices: {}\n'), { file: 'a/b.yaml' }),
  );
  t.is(
    error?.message,
    'a/b.yaml:1:14 an environment name must be 1 to 40 of a-z, 0-9 and -, not the text "E" (and 2 more)',
  );
  t.is(problemsOf(error).length, 3);
  t.deepEqual(problemsOf(new Error('other')), []);
});

test('what is shown of a file can not steer a terminal', (t) => {
  const source = sourceText('f', 'a: \u202eevil\u200b\u009b31m\tx\n');
  const shown = renderProblems([{ ...placeAt(source, 0), message: 'm' }], { color: false });
  t.is(shown.split('\n')[1], '  1 | a: \uFFFDevil\uFFFD\uFFFD31m x');
});

test('of a very long line only the part around the place is kept', (t) => {
  const place = placeAt(sourceText('f', `${'a'.repeat(5000)}X${'b'.repeat(5000)}`), 5000);
  t.is(place.column, 5001);
  t.true(place.source.length <= 160);
  t.is(place.source[place.caret], 'X');
});

test('of very many problems the first twenty are shown', (t) => {
  const source = sourceText('f', 'x\n'.repeat(50));
  const problems = Array.from({ length: 50 }, (_, line) => ({ ...placeAt(source, line * 2), message: `m${line}` }));
  t.true(renderProblems(problems, { color: false }).endsWith('... and 30 more'));
});

test('problems are ordered by their place, and the same one is said once', (t) => {
  const source = sourceText('f', 'abc\ndef\n');
  const late = { ...placeAt(source, 5), message: 'late' };
  const early = { ...placeAt(source, 1), message: 'early' };
  t.deepEqual(
    problemsOf(specInvalid([late, early, late])).map(({ message }) => message),
    ['early', 'late'],
  );
});
