/** The files of one generation: the 404 answer. Written before the configuration that names it. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { isMcpError, McpError } from '../../specs/errors.ts';
import { makeDirectory } from '../files.ts';
import type { RouteTable } from '../routes/route-table.ts';
import type { GatewayPaths } from './paths.ts';

export async function writeGenerationFiles(paths: GatewayPaths, generation: number, table: RouteTable): Promise<void> {
  const files = paths.generation(generation);
  makeDirectory(files.dir);
  await writeFile(files.notFound, notFoundAnswer(table, generation), { mode: 0o644 });
}

/** What is said where the disk takes no more. */
export function diskError(error: unknown): McpError {
  if (isMcpError(error)) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new McpError('GATEWAY_DISK', `the new configuration can't be written: ${said}`, {
    cause: error,
    retryable: true,
    hint: 'The last good one stays. Is the disk full?',
  });
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
