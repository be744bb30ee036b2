/** `npm run bench -- NAME [--json]`: runs one benchmark, prints a table or one JSON object. Reports, never judges: exits 0. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

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

export interface BenchResult {
  name: string;
  rows: BenchRow[];
}

const benches: Record<string, () => Promise<{ run: () => Promise<BenchResult> }>> = {
  gateway: () => import('./gateway.ts'),
  plan: () => import('./plan.ts'),
  route: () => import('./route.ts'),
  replace: () => import('./replace.ts'),
  document: () => import('./document.ts'),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const name = positionals[0] ?? '';
const load = benches[name];
if (!load) {
  console.error(`usage: npm run bench -- NAME [--json]\n  NAME is one of: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const result = await (await load()).run();
const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', node: process.version };
if (values.json)
  process.stdout.write(`${JSON.stringify({ name: result.name, machine, rows: result.rows }, null, 2)}\n`);
else printTable(result.rows);

function printTable(rows: BenchRow[]): void {
  const head = ['metric', 'ours', 'peer', 'ratio', 'target', 'holds'];
  const lines = rows.map((row) => [
    row.metric,
    `${round(row.ours)} ${row.unit}`,
    row.peer === null ? row.peerName : `${round(row.peer)} ${row.unit} (${row.peerName})`,
    row.ratio === null ? '' : String(round(row.ratio)),
    row.target,
    row.holds === null ? '' : row.holds ? 'yes' : 'no',
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at]?.length ?? 0)));
  for (const line of [head, ...lines])
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
