/** The files of one generation: the document and the 404 answer. Written before the configuration that names them. */
import { readFileSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { McpError } from '../../specs/errors.ts';
import type { MergedDocument } from '../document-source.ts';
import { makeDirectory } from '../files.ts';
import type { RouteTable } from '../routes/route-table.ts';
import type { GatewayPaths } from './paths.ts';

export async function writeGenerationFiles(
  paths: GatewayPaths,
  generation: number,
  table: RouteTable,
  document: MergedDocument,
): Promise<void> {
  const files = paths.generation(generation);
  makeDirectory(files.dir);
  await Promise.all([
    writeDocumentFiles(paths, generation, document),
    writeFile(files.notFound, notFoundAnswer(table, generation), mode),
  ]);
}

/** The document alone, under the generation that brings it. */
export async function writeDocumentFiles(
  paths: GatewayPaths,
  generation: number,
  document: MergedDocument,
): Promise<void> {
  const files = paths.generation(generation);
  makeDirectory(files.dir);
  await Promise.all([
    writeFile(files.documentJson, withGeneration(document.json, generation), mode),
    writeFile(files.documentYaml, [`x-mcp-generation: ${generation}\n`, document.yaml], mode),
  ]);
}

const mode = { mode: 0o644 };

/** What is said where the disk takes no more. */
export function diskError(error: unknown): McpError {
  const said = error instanceof Error ? error.message : String(error);
  return new McpError('GATEWAY_DISK', `the new configuration can't be written: ${said}`, {
    cause: error,
    retryable: true,
    hint: 'The last good one stays. Is the disk full?',
  });
}

/** The document of a generation as it was before the generation was spliced in; null where the files are not there. */
export function readGenerationDocument(paths: GatewayPaths, generation: number, digest: string): MergedDocument | null {
  const files = paths.generation(generation);
  try {
    const json = readFileSync(files.documentJson);
    const yaml = readFileSync(files.documentYaml);
    const own = Buffer.concat([Buffer.from('{'), json.subarray(json.indexOf(',') + 1)]);
    return { json: own, yaml: yaml.subarray(yaml.indexOf('\n') + 1), digest, operations: 0, sources: [] };
  } catch {
    return null;
  }
}

/** Removes the files of all generations before `oldest`, which nobody can be reading any more. */
export async function removeGenerationsBefore(paths: GatewayPaths, oldest: number): Promise<void> {
  const names = await readdir(paths.generations).catch(() => []);
  const past = names.filter((name) => /^\d+$/.test(name) && Number(name) < oldest);
  await Promise.all(past.map((name) => rm(paths.generation(Number(name)).dir, { recursive: true, force: true })));
}

/** Spliced into the text as first key: parsing and printing megabytes for one number would block the daemon. */
function withGeneration(json: Buffer, generation: number): Uint8Array[] {
  return [Buffer.from(`{"x-mcp-generation":${generation},`), json.subarray(json.indexOf('{') + 1)];
}

function notFoundAnswer(table: RouteTable, generation: number): string {
  const routes = table.routes.map(({ prefix }) => prefix).sort();
  const error = { code: 'NO_SUCH_ROUTE', message: 'No route leads here', hint: 'See /docs for what there is.', routes };
  return `${JSON.stringify({ error, generation })}\n`;
}
