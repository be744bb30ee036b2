/** The files of one generation: the 404 answer. Written before the configuration that names it. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { makeDirectory } from '../files.ts';
import type { RouteTable } from '../routes/route-table.ts';
import type { GatewayPaths } from './paths.ts';

export async function writeGenerationFiles(paths: GatewayPaths, generation: number, table: RouteTable): Promise<void> {
  const files = paths.generation(generation);
  makeDirectory(files.dir);
  await writeFile(files.notFound, notFoundAnswer(table, generation), { mode: 0o644 });
}

/** Removes the files of all generations before `oldest`, which nobody can be reading any more. */
export async function removeGenerationsBefore(paths: GatewayPaths, oldest: number): Promise<void> {
  const names = await readdir(paths.generations).catch(() => []);
  const past = names.filter((name) => /^\d+$/.test(name) && Number(name) < oldest);
  await Promise.all(past.map((name) => rm(paths.generation(Number(name)).dir, { recursive: true, force: true })));
}

function notFoundAnswer(table: RouteTable, generation: number): string {
  const routes = table.routes.map(({ prefix }) => prefix).sort();
  const error = { code: 'NO_SUCH_ROUTE', message: 'No route leads here', hint: 'See /docs for what there is.', routes };
  return `${JSON.stringify({ error, generation })}\n`;
}
