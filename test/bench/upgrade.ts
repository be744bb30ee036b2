/**
 * `npm run bench -- upgrade`: a real local environment of process machines behind the dynamic gateway. First versions change again
 * and again under a steady load, which must lose nothing; then 100 instances are upgraded, and what of that time was MCP's own.
 */
import type { BenchResult } from './main.ts';
import { measureChanges } from './upgrade-load.ts';
import { measureMany } from './upgrade-many.ts';

export async function run(): Promise<BenchResult> {
  const rows = await measureChanges();
  const many = await measureMany();
  return { name: 'upgrade', rows: [...rows, ...many.rows], parts: many.parts };
}
