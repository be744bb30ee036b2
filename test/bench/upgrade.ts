/**
 * `npm run bench -- upgrade`: a real local environment of process machines behind the dynamic gateway. First versions change again
 * and again under a steady load, which must lose nothing; then 100 instances are upgraded, and what of that time was MCP's own.
 */
import type { BenchResult } from './main.ts';
import { measureChanges } from './upgrade-load.ts';
import { type Measured, measureMany } from './upgrade-many.ts';

export const parts = ['changes', 'undo', 'many'];

/** `only` one of the parts: undo alone takes a minute. */
export async function run(only: string | null): Promise<BenchResult> {
  const measured: Measured[] = [];
  if (only !== 'many') measured.push(await measureChanges(only === 'undo'));
  if (only === null || only === 'many') measured.push(await measureMany());
  return {
    name: 'upgrade',
    rows: measured.flatMap(({ rows }) => rows),
    parts: measured.flatMap(({ parts }) => parts),
  };
}
