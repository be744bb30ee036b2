/** An environment file on disk to a resolved environment: read, parse, pack directories, check files. */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import type { DeclaredArtifact } from '../../specs/declared.ts';
import { McpError } from '../../specs/errors.ts';
import type { Artifact, Environment } from '../../specs/nouns.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { localArtifacts, resolveEnvironment } from '../../specs/resolve-environment.ts';
import { keepDirectory, keepFile } from './keep-artifact.ts';
import { loadImages } from './load-images.ts';

export interface LoadOptions {
  /** Folder of packed artifacts, named by their sha256. */
  artifacts: string;
  allowEmpty?: boolean;
  /** Taken where the file leaves the image of its machines to the provider (`process`, the file's own default). */
  defaultImage?: string;
  /** For showing the file's name as the user gave it. */
  cwd?: string;
}

/**
 * The environment that a file declares. Errors: SPEC_* for everything in the file, with line and column; USAGE_FILE where
 * the file can't be read; ARTIFACT_* for directories that can't be packed.
 */
export async function loadEnvironment(file: string, options: LoadOptions): Promise<Environment> {
  const path = resolve(file);
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new McpError('USAGE_FILE', `can't read ${file}: ${cause.code ?? cause.message}`, {
      cause,
      hint: 'Name an environment file with -f.',
    });
  });
  const declared = parseEnvironment(bytes, { file: shortName(path, options.cwd), allowEmpty: options.allowEmpty });
  const resolved = new Map<string, Artifact>();
  for (const [key, artifact] of localArtifacts(declared)) {
    resolved.set(key, await resolveLocal(artifact, dirname(path), options.artifacts));
  }
  const { pool } = declared;
  const image = pool.image === 'process' ? (options.defaultImage ?? pool.image) : pool.image;
  const images = await loadImages(declared.images, dirname(path), options.artifacts);
  return resolveEnvironment({ ...declared, pool: { ...pool, image } }, resolved, images);
}

/** The path as people would type it here. */
function shortName(path: string, cwd: string | undefined): string {
  const short = relative(cwd ?? process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

async function resolveLocal(
  artifact: Exclude<DeclaredArtifact, { kind: 'url' }>,
  base: string,
  artifacts: string,
): Promise<Artifact> {
  const path = resolve(base, artifact.path);
  return artifact.kind === 'directory'
    ? keepDirectory(path, artifacts)
    : keepFile(path, artifacts, { name: artifact.path, at: artifact.at });
}
