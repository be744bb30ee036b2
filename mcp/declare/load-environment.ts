/** An environment file on disk to a resolved environment: read, parse, pack directories, check files. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { packDirectory } from '../../registrar/agent/pack.ts';
import type { DeclaredArtifact } from '../../specs/declared.ts';
import { McpError } from '../../specs/errors.ts';
import type { Artifact, Environment } from '../../specs/nouns.ts';
import { parseEnvironment } from '../../specs/parse-environment.ts';
import { localArtifacts, resolveEnvironment } from '../../specs/resolve-environment.ts';

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
  return resolveEnvironment({ ...declared, pool: { ...pool, image } }, resolved);
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
  const kept =
    artifact.kind === 'directory' ? await packDirectory(path, artifacts) : await keepFile(path, artifacts, artifact);
  return { url: pathToFileURL(kept.path).href, sha256: kept.sha256 };
}

/** Copies a file into the artifacts by its digest, so that a later edit of it can't change what was declared. */
async function keepFile(path: string, artifacts: string, artifact: DeclaredArtifact & { kind: 'file' }) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash).catch((cause: NodeJS.ErrnoException) => {
    const { file, line, column } = artifact.at;
    throw new McpError(
      'SPEC_ARTIFACT_UNRESOLVED',
      `${file}:${line}:${column} can't read ${artifact.path}: ${cause.code ?? cause.message}`,
      {
        cause,
        hint: 'Check the path: it is relative to the environment file.',
      },
    );
  });
  const sha256 = hash.digest('hex');
  const extension = /(\.tar\.gz|\.tgz|\.[a-z0-9]{1,8})$/i.exec(path)?.[0] ?? '';
  const kept = join(artifacts, `${sha256}${extension}`);
  await mkdir(artifacts, { recursive: true });
  await copyFile(path, `${kept}.tmp`);
  await rename(`${kept}.tmp`, kept);
  return { path: kept, sha256 };
}
