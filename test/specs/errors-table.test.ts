/** specs/errors.md and the code say the same. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = globSync('{specs,registrar,vm-factory,proxy-daemon,mcp}/**/*.ts', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(`${root}${file}`, 'utf8'),
}));
const rows = readFileSync(`${root}specs/errors.md`, 'utf8')
  .split('\n')
  .filter((line) => /^\| [A-Z]/.test(line))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
const documented = rows.map(([code = '']) => code);

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

test('every code in the table is used, so that nothing documented is only a memory', (t) => {
  const words = new Set(sources.flatMap(({ text }) => text.match(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/g) ?? []));
  t.deepEqual(
    documented.filter((code) => !words.has(code)),
    [],
    'take these rows out of specs/errors.md',
  );
});

test('every row says what the code means, what to do, and whether to try again; in order, each code once', (t) => {
  t.true(
    rows.every(
      (cells) => cells.length === 4 && cells.every((cell) => cell !== '') && /^(yes|no)$/.test(cells[3] ?? ''),
    ),
  );
  t.deepEqual(documented, [...new Set(documented)].sort());
});
