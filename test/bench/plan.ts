/** How long makePlan takes for 100, 1,000 and 10,000 instances, and that it grows no worse than they do. */
import { makePlan } from '../../mcp/plan/make-plan.ts';
import { freshMemory, type PlannerMemory } from '../../mcp/plan/memory.ts';
import { defaultPolicy } from '../../mcp/plan/policy.ts';
import { remember } from '../../mcp/plan/remember.ts';
import type { Snapshot } from '../../mcp/plan/snapshot.ts';
import { service, version, WorldBuilder } from '../mcp/plan/world-builder.ts';
import type { BenchResult, BenchRow } from './main.ts';

const sizes = [100, 1_000, 10_000];
const rounds = 15;
const perService = 50;
const targetMs = 50;

/** Worlds in which a tenth of the instances died: what planning has most to do with. */
function world(instances: number): Snapshot {
  const names = Array.from({ length: instances / perService }, (_, index) => `service-${index}`);
  const run = version('1.0.0', perService);
  const builder = new WorldBuilder().declare(
    names.map((name) => service(name, [run])),
    { pool: instances / 10 },
  );
  for (const name of names) {
    for (let index = 0; index < perService; index += 1) {
      builder.serving(`${name}-${index}`, name, run, index % 10 === 0 ? { provider: null } : {});
    }
  }
  for (let index = 0; index < instances / 10; index += 1) builder.machine(`ready-${index}`);
  return builder.snapshot();
}

interface Case {
  size: number;
  snapshot: Snapshot;
  memory: PlannerMemory;
  planMs: number[];
  rememberMs: number[];
}

export async function run(): Promise<BenchResult> {
  const now = 60_000;
  const cases = sizes.map((size): Case => {
    const snapshot = world(size);
    const memory = remember(
      { ...freshMemory({ clusterId: 'test', now: 0 }), quietOver: true },
      snapshot,
      defaultPolicy,
      now,
    );
    return { size, snapshot, memory, planMs: [], rememberMs: [] };
  });
  let ids = 0;
  for (let round = -3; round < rounds; round += 1) {
    for (const { snapshot, memory, planMs, rememberMs } of cases) {
      const planned = timed(() => makePlan(snapshot, memory, defaultPolicy, { now, newId: () => `id-${++ids}` }));
      const remembered = timed(() => remember(memory, snapshot, defaultPolicy, now + 2_000));
      if (round < 0) continue;
      planMs.push(planned);
      rememberMs.push(remembered);
    }
  }
  return { name: 'plan', rows: cases.flatMap((one) => rowsOf(one, cases[0])) };
}

function rowsOf({ size, planMs, rememberMs }: Case, smallest: Case | undefined): BenchRow[] {
  const ours = median(planMs);
  const growth = smallest && size > smallest.size ? ours / median(smallest.planMs) / (size / smallest.size) : null;
  const none = { unit: 'ms', peer: null, peerName: '' };
  const rows: BenchRow[] = [
    {
      ...none,
      metric: `makePlan, ${size} instances`,
      ours,
      ratio: growth,
      target: growth === null ? '' : 'time per instance, against the smallest: at most 1',
      holds: growth === null ? null : growth <= 1,
    },
    { ...none, metric: `remember, ${size} instances`, ours: median(rememberMs), ratio: null, target: '', holds: null },
  ];
  if (size !== sizes.at(-1)) return rows;
  return [
    ...rows,
    {
      ...none,
      metric: `makePlan, ${size} instances, of ${targetMs} ms`,
      ours,
      ratio: ours / targetMs,
      target: `under ${targetMs} ms`,
      holds: ours < targetMs,
    },
  ];
}

function timed(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
