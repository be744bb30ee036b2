/** A directory or file on this machine as an artifact that was content-addressed and can't change any more. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { packDirectory } from '../../registrar/agent/pack.ts';
import type { Artifact } from '../../specs/nouns.ts';

/** Packs a directory, or copies a file by its digest, into `artifacts`. ARTIFACT_* for what can't be packed; node's own error where `path` can't be read. */
export async function keepArtifact(path: string, artifacts: string): Promise<Artifact> {
  const isDirectory = (await stat(path)).isDirectory();
  const kept = isDirectory ? await packDirectory(path, artifacts) : await keepFile(path, artifacts);
  return { url: pathToFileURL(kept.path).href, sha256: kept.sha256 };
}

async function keepFile(path: string, artifacts: string) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const sha256 = hash.digest('hex');
  const extension = /(\.tar\.gz|\.tgz|\.[a-z0-9]{1,8})$/i.exec(path)?.[0] ?? '';
  const kept = join(artifacts, `${sha256}${extension}`);
  await mkdir(artifacts, { recursive: true });
  await copyFile(path, `${kept}.tmp`);
  await rename(`${kept}.tmp`, kept);
  return { path: kept, sha256 };
}
