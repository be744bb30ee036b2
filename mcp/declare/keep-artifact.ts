/** Keeps what a declared file names under its digest, so that a later edit can't change what was declared. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { packDirectory } from '../../registrar/agent/pack.ts';
import { McpError } from '../../specs/errors.ts';
import type { Artifact } from '../../specs/nouns.ts';
import type { Place } from '../../specs/problems.ts';

/** What a message about it says: the path as it was written, and where. */
interface Source {
  name: string;
  at: Place;
}

/** Packs a directory into the folder of artifacts. Errors: ARTIFACT_*. */
export async function keepDirectory(path: string, artifacts: string): Promise<Artifact> {
  return asArtifact(await packDirectory(path, artifacts));
}

/** Copies a file into the folder of artifacts. Errors: SPEC_ARTIFACT_UNRESOLVED (it can't be read). */
export async function keepFile(path: string, artifacts: string, source: Source): Promise<Artifact> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash).catch((cause: unknown) => {
    throw unreadable(source, cause);
  });
  const sha256 = hash.digest('hex');
  const extension = /(\.tar\.gz|\.tgz|\.[a-z0-9]{1,8})$/i.exec(path)?.[0] ?? '';
  const kept = join(artifacts, `${sha256}${extension}`);
  await mkdir(artifacts, { recursive: true });
  await copyFile(path, `${kept}.tmp`);
  await rename(`${kept}.tmp`, kept);
  return asArtifact({ path: kept, sha256 });
}

/** SPEC_ARTIFACT_UNRESOLVED at the place that names what can't be read. */
export function unreadable({ name, at }: Source, cause: unknown): McpError {
  const why = Object(cause).code ?? (cause instanceof Error ? cause.message : cause);
  return new McpError('SPEC_ARTIFACT_UNRESOLVED', `${at.file}:${at.line}:${at.column} can't read ${name}: ${why}`, {
    cause,
    hint: 'Check the path: it is relative to the environment file.',
  });
}

function asArtifact({ path, sha256 }: { path: string; sha256: string }): Artifact {
  return { url: pathToFileURL(path).href, sha256 };
}
