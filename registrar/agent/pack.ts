/** Packs a directory so that equal content gives equal bytes: the digest then says whether anything changed. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { McpError } from '../../specs/errors.ts';

/**
 * Packs `dir` into `outDir/<sha256>.tar.gz`: names sorted by their bytes, times 0, owner 0, modes 0644 or 0755.
 * Errors: ARTIFACT_UNPACKABLE for a link, device or setuid file in it (the agent would refuse it), or a file that changes
 * meanwhile; ARTIFACT_BAD_URL where `dir` is no directory.
 */
export async function packDirectory(dir: string, outDir: string): Promise<{ path: string; sha256: string }> {
  const top = await lstat(dir).catch((error: unknown) => {
    throw notADirectory(dir, error);
  });
  if (!top.isDirectory()) throw notADirectory(dir);
  await mkdir(outDir, { recursive: true });
  const temporary = join(outDir, `.tmp-${randomBytes(8).toString('hex')}`);
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const tar = pack();
  try {
    // Node's gzip header carries no time and no name, so the bytes depend on the content alone.
    const written = pipeline(tar, createGzip({ level: 9 }), hashing, createWriteStream(temporary));
    written.catch(() => {});
    await addDirectory(tar, dir, '').catch((error: unknown) => {
      tar.destroy();
      throw error;
    });
    tar.finalize();
    await written;
    const sha256 = hash.digest('hex');
    const path = join(outDir, `${sha256}.tar.gz`);
    await rename(temporary, path);
    return { path, sha256 };
  } finally {
    await rm(temporary, { force: true });
  }
}

async function addDirectory(tar: Pack, root: string, inside: string): Promise<void> {
  const names = (await readdir(join(root, inside))).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    const relative = inside === '' ? name : `${inside}/${name}`;
    const path = join(root, relative);
    const found = await lstat(path);
    if (found.mode & 0o6000) throw unpackable(relative, 'has a setuid or setgid bit');
    if (found.isDirectory()) {
      await addEntry(tar, { name: `${relative}/`, type: 'directory', mode: 0o755 });
      await addDirectory(tar, root, relative);
    } else if (found.isFile()) {
      await addFile(tar, path, relative, found.size, found.mode & 0o111 ? 0o755 : 0o644);
    } else throw unpackable(relative, 'is neither a file nor a directory');
  }
}

const noTimes = { mtime: new Date(0), uid: 0, gid: 0 };

async function addEntry(tar: Pack, header: { name: string; type: 'directory'; mode: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    tar.entry({ ...header, ...noTimes }, (error) => (error ? reject(error) : resolve()));
  });
}

async function addFile(tar: Pack, path: string, name: string, size: number, mode: number): Promise<void> {
  const entry = tar.entry({ name, type: 'file', mode, size, ...noTimes });
  await pipeline(createReadStream(path), entry).catch((error: unknown) => {
    throw unpackable(name, `could not be read whole (did it change?): ${String(error)}`);
  });
}

function unpackable(name: string, why: string): McpError {
  return new McpError('ARTIFACT_UNPACKABLE', `${JSON.stringify(name)} ${why}`, {
    hint: 'An artifact holds plain files and directories only; copy what links point to.',
    details: { entry: name },
  });
}

function notADirectory(dir: string, cause?: unknown): McpError {
  return new McpError('ARTIFACT_BAD_URL', `${dir} is no directory`, {
    cause,
    hint: 'Name a directory that is there, relative to the environment file.',
  });
}
