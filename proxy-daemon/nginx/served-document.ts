/**
 * The merged document at its fixed place, the same for every way that nginx is made to serve: `current` is a link to the folder
 * of one document, replaced in one step. nginx opens it at each request, so a new document needs no reload.
 */
import { readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { DocumentFolders, MergedDocument } from '../document-source.ts';
import type { GatewayPaths } from './paths.ts';

/** The document in place, as a daemon that starts finds it; null where there is none. */
export function servedDocument(paths: GatewayPaths): MergedDocument | null {
  try {
    const digest = readFileSync(join(paths.documents.current, 'digest'), 'utf8');
    // Its files are where they belong.
    return { digest, operations: 0, sources: [], write: async () => {} };
  } catch {
    return null;
  }
}

/**
 * Writes the document beside the one in place, which stays served. Resolves with what puts the new one in its place, which throws
 * GATEWAY_DISK. Where it is the same there is nothing to do: `x-mcp-generation` is the generation that a document came with.
 * Rejects with GATEWAY_DISK or DOCUMENT_CLOSED.
 */
export async function writeDocument(
  paths: GatewayPaths,
  generation: number,
  document: MergedDocument,
): Promise<() => void> {
  if (servedDocument(paths)?.digest === document.digest) return () => {};
  await document.write(foldersOf(paths, generation), generation);
  return () => show(paths, mergedName(generation));
}

function show(paths: GatewayPaths, name: string): void {
  const { all, current } = paths.documents;
  try {
    rmSync(`${current}.new`, { force: true });
    symlinkSync(name, `${current}.new`);
    renameSync(`${current}.new`, current);
  } catch (cause) {
    throw new McpError('GATEWAY_DISK', `the new document can't be put in place: ${(cause as Error).message}`, {
      cause,
      retryable: true,
      hint: 'The last good one stays. Is the disk full?',
    });
  }
  const past = readdirSync(all).filter((folder) => /^generation-\d+$/.test(folder) && folder !== name);
  for (const folder of past) rmSync(join(all, folder), { recursive: true, force: true });
}

function foldersOf(paths: GatewayPaths, generation: number): DocumentFolders {
  const { all, current, services } = paths.documents;
  return { merged: join(all, mergedName(generation)), served: current, services };
}

function mergedName(generation: number): string {
  return `generation-${generation}`;
}
