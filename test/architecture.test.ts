/** The house rules as tests: who may import whom, no cycles, pure parts stay pure, files fit in a head. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const rooms = ['specs', 'registrar', 'vm-factory', 'proxy-daemon', 'mcp'] as const;

/** For each room, the rooms that it may import (itself always). */
const allowed: Record<string, readonly string[]> = {
  specs: [],
  registrar: ['specs'],
  'vm-factory': ['specs', 'registrar'],
  'proxy-daemon': ['specs', 'registrar'],
  mcp: rooms,
};

/** Folders and files whose code is a function of its arguments alone. */
const pure = [
  /^mcp\/plan\//,
  /^mcp\/rollout\//,
  /^mcp\/view\//,
  /^vm-factory\/pool\//,
  /^proxy-daemon\/routes\//,
  /^proxy-daemon\/document\/(namespace|merge)[^/]*\.ts$/,
  /^proxy-daemon\/document\/compat\//,
  /^registrar\/dialects\//,
];
const impure: [RegExp, string][] = [
  [/from '(node:)(?!crypto|util|net')/, 'imports a node: module'],
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, 'reads a clock'],
  [/\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/, 'is random'],
  [/\bset(Timeout|Interval|Immediate)\b/, 'uses timers'],
  [/\basync\b|\bawait\b|\bnew Promise\b/, 'is asynchronous'],
  [/\bprocess\.(env|pid|cwd|hrtime)/, 'reads the process'],
];

const longestFile = 400;

interface SourceFile {
  path: string;
  text: string;
  imports: string[];
}

const files = rooms.flatMap((room) => sources(join(root, room)));
const byPath = new Map(files.map((file) => [file.path, file]));

function sources(dir: string): SourceFile[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const full = join(dir, entry.name);
    if (entry.isDirectory()) return full.includes(join('specs', 'examples')) ? [] : sources(full);
    return entry.name.endsWith('.ts') ? [sourceFile(full)] : [];
  });
}

function sourceFile(full: string): SourceFile {
  const text = readFileSync(full, 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) => match[1] ?? '');
  return {
    path: relative(root, full),
    text,
    imports: specifiers.map((to) => relative(root, resolve(dirname(full), to))),
  };
}

/** The code without comments, so that words about time are not taken for use of it. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? '';
}

test('every room imports only the rooms it may', (t) => {
  const wrong = files.flatMap((file) =>
    file.imports
      .filter((to) => roomOf(to) !== roomOf(file.path) && !allowed[roomOf(file.path)]?.includes(roomOf(to)))
      .map((to) => `${file.path} -> ${to}`),
  );
  t.deepEqual(wrong, []);
});

test('no source file imports the tests', (t) => {
  t.deepEqual(
    files.filter((file) => file.imports.some((to) => roomOf(to) === 'test')).map((file) => file.path),
    [],
  );
});

test('imports form no cycle', (t) => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const to of byPath.get(path)?.imports ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const file of files) visit(file.path, []);
  t.deepEqual(cycles, []);
});

test('the pure parts read no clock, no randomness, no I/O, and wait for nothing', (t) => {
  const wrong = files
    .filter((file) => pure.some((pattern) => pattern.test(file.path)))
    .flatMap((file) =>
      impure.filter(([pattern]) => pattern.test(code(file.text))).map(([, what]) => `${file.path} ${what}`),
    );
  t.deepEqual(wrong, []);
});

test('there are pure parts to check', (t) => {
  for (const pattern of pure)
    t.true(
      files.some((file) => pattern.test(file.path)),
      String(pattern),
    );
});

test('every source file fits in a head', (t) => {
  const long = files.filter((file) => file.text.split('\n').length > longestFile).map((file) => file.path);
  t.deepEqual(long, []);
});

test('every source file says at its top or its exports what it is for', (t) => {
  const silent = files.filter((file) => !/\/\*\*/.test(file.text)).map((file) => file.path);
  t.deepEqual(silent, []);
});

test('file names are kebab-case', (t) => {
  const wrong = files
    .filter((file) => !/^[a-z0-9.-]+\.ts$/.test(file.path.split('/').at(-1) ?? ''))
    .map((file) => file.path);
  t.deepEqual(wrong, []);
});
