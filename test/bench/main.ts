/** `npm run bench -- NAME [--only PART] [--json]`: runs one benchmark, prints a table or one JSON object. Reports, never judges: exits 0. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Interrupted } from './interrupted.ts';

/** One line of a benchmark: medians of interleaved rounds in one run. */
export interface BenchRow {
  metric: string;
  unit: string;
  ours: number;
  /** What ours is compared with in the same run; null where there is none or it could not run here. */
  peer: number | null;
  peerName: string;
  /** What the target speaks of. */
  ratio: number | null;
  target: string;
  holds: boolean | null;
}

/** Beside the figures that are compared: what each way's time consists of. */
export interface PartsTable {
  title: string;
  unit: string;
  columns: string[];
  /** A value for each column; null where a way has no such part. */
  rows: { part: string; values: (number | null)[] }[];
}

export interface BenchResult {
  name: string;
  rows: BenchRow[];
  parts?: PartsTable[];
}

interface Bench {
  /** `only`: one of `parts`. */
  run: (only: string | null) => Promise<BenchResult>;
  /** What of it can be run alone; absent: it is one. */
  parts?: string[];
}

const benches: Record<string, () => Promise<Bench>> = {
  changes: () => import('./changes.ts'),
  claim: () => import('./claim.ts'),
  'data-path': () => import('./data-path.ts'),
  gateway: () => import('./gateway.ts'),
  plan: () => import('./plan.ts'),
  pool: () => import('./pool.ts'),
  route: () => import('./route.ts'),
  replace: () => import('./replace.ts'),
  document: () => import('./document.ts'),
  upgrade: () => import('./upgrade.ts'),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, only: { type: 'string' } },
});
const name = positionals[0] ?? '';
const load = benches[name];
if (!load) {
  console.error(
    `usage: npm run bench -- NAME [--only PART] [--json]\n  NAME is one of: ${Object.keys(benches).join(', ')}`,
  );
  process.exit(2);
}
const bench = await load();
const { only = null } = values;
if (only !== null && !bench.parts?.includes(only)) {
  console.error(`--only names a part of a benchmark; of ${name}: ${bench.parts?.join(', ') ?? 'it has none'}`);
  process.exit(2);
}
const result = await bench.run(only).catch((error: unknown) => {
  if (!(error instanceof Interrupted)) throw error;
  console.error('interrupted: everything that was started has ended');
  process.exit(130);
});
const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', node: process.version };
if (values.json)
  process.stdout.write(
    `${JSON.stringify({ name: result.name, machine, rows: result.rows, parts: result.parts }, null, 2)}\n`,
  );
else {
  printRows(result.rows);
  for (const table of result.parts ?? []) printParts(table);
}

function printRows(rows: BenchRow[]): void {
  const head = ['metric', 'ours', 'peer', 'ratio', 'target', 'holds'];
  const lines = rows.map((row) => [
    row.metric,
    `${round(row.ours)} ${row.unit}`,
    row.peer === null ? row.peerName : `${round(row.peer)} ${row.unit} (${row.peerName})`,
    row.ratio === null ? '' : String(round(row.ratio)),
    row.target,
    row.holds === null ? '' : row.holds ? 'yes' : 'no',
  ]);
  printTable([head, ...lines]);
}

function printParts({ title, unit, columns, rows }: PartsTable): void {
  console.log();
  const lines = rows.map(({ part, values }) => [
    part,
    ...values.map((value) => (value === null ? '' : `${round(value)} ${unit}`)),
  ]);
  printTable([[title, ...columns], ...lines]);
}

function printTable(lines: string[][]): void {
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0))) ?? [];
  for (const line of lines)
    console.log(
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
