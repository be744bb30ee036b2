/** specs/errors.md and the code say the same. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = globSync('{specs,registrar,vm-factory,proxy-daemon,mcp}/**/*.ts', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(`${root}${file}`, 'utf8'),
}));
const sections = readFileSync(`${root}specs/errors.md`, 'utf8')
  .split('\n## ')
  .map((section) => section.split('\n').filter((line) => /^\| [A-Z]/.test(line)))
  .map((lines) =>
    lines.map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    ),
  );
const [, errors = [], answers = [], alarms = []] = sections;
const codesOf = (rows: string[][]) => rows.map(([code = '']) => code);
const documented = codesOf(errors);

test('every code that is thrown is in the table of error codes', (t) => {
  const thrown = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/\bMcpError\(\s*'([A-Z][A-Z0-9_]*)'/g)].map(([, code = '']) => ({ code, file })),
  );
  t.true(thrown.length > 0);
  t.deepEqual(
    thrown.filter(({ code }) => !documented.includes(code)),
    [],
    'add a row to specs/errors.md for each of these',
  );
});

test('every code in the tables is used, so that nothing documented is only a memory', (t) => {
  const words = new Set(sources.flatMap(({ text }) => text.match(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g) ?? []));
  t.deepEqual(
    codesOf(sections.flat()).filter((code) => !words.has(code)),
    [],
    'take these rows out of specs/errors.md',
  );
});

test('every row says what the code means and what to do; in order, each code once', (t) => {
  for (const [rows, columns] of [
    [errors, 4],
    [answers, 4],
    [alarms, 3],
  ] as const) {
    t.true(rows.length > 0 && rows.every((cells) => cells.length === columns && cells.every((cell) => cell !== '')));
    t.deepEqual(codesOf(rows), [...new Set(codesOf(rows))].sort());
  }
  t.true(errors.every((cells) => ['yes', 'no', 'sometimes'].includes(cells[3] ?? '')));
});
