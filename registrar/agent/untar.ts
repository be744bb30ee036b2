/**
 * Unpacks an archive that nobody vouches for. Only plain files and directories come out, only below the target, within
 * limits; anything else refuses the whole archive. The target must be fresh and private: with links refused, no entry can
 * lead a later one astray.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { isMcpError, McpError } from '../../specs/errors.ts';

export interface UnpackLimits {
  /** Bytes of the unpacked stream, headers included. */
  maxBytes: number;
  maxEntries: number;
  /** Unpacked to packed bytes; looked at once `ratioFloorBytes` came out. */
  maxRatio: number;
  ratioFloorBytes: number;
}

export const defaultUnpackLimits: UnpackLimits = {
  maxBytes: 2 * 1024 ** 3,
  maxEntries: 100_000,
  maxRatio: 200,
  ratioFloorBytes: 16 * 1024 ** 2,
};

const blockBytes = 512;
const gzipMagic = [0x1f, 0x8b];

export type ArchiveKind = 'tar' | 'tar.gz' | 'not-an-archive';

/** Looks at the content, not at the name. */
export async function archiveKind(path: string): Promise<ArchiveKind> {
  const head = await readHead(path);
  if (isTarHead(head)) return 'tar';
  if (head[0] !== gzipMagic[0] || head[1] !== gzipMagic[1]) return 'not-an-archive';
  return isTarHead(await unzippedHead(path)) ? 'tar.gz' : 'not-an-archive';
}

/**
 * Unpacks a tar or gzipped tar into `target`, an existing empty directory. Files become 0644 or 0755 (the executable bit is
 * kept), directories 0755. On failure the target holds rubbish: the caller removes it.
 * Errors: ARTIFACT_UNSAFE, ARTIFACT_TOO_LARGE, ARTIFACT_DAMAGED.
 */
export async function untar(
  archive: string,
  target: string,
  options: { kind: 'tar' | 'tar.gz'; limits?: UnpackLimits; signal?: AbortSignal },
): Promise<void> {
  const { kind, limits = defaultUnpackLimits, signal } = options;
  const packedBytes = (await stat(archive)).size;
  const gauge = new Gauge(limits, packedBytes);
  const entries = extract();
  const source = createReadStream(archive);
  const stages = kind === 'tar.gz' ? [source, createGunzip(), gauge] : [source, gauge];
  // The feeder's failure reaches the reader below as the extractor's error, so it is awaited only after it.
  const fed = pipeline([...stages, entries], { signal });
  // An entry cut short does not end by itself: the failed feeder ends it.
  const broken = new AbortController();
  fed.catch((error: unknown) => broken.abort(error));
  const either = signal ? AbortSignal.any([signal, broken.signal]) : broken.signal;
  try {
    let count = 0;
    for await (const entry of entries) {
      count += 1;
      if (count > limits.maxEntries) throw tooLarge(`more than ${limits.maxEntries} entries`);
      await unpackEntry(entry.header, entry, target, either);
    }
    await fed;
  } catch (error) {
    signal?.throwIfAborted();
    const cause = isMcpError(error) ? error : (gauge.refusal ?? broken.signal.reason ?? error);
    throw asArtifactError(cause);
  } finally {
    source.destroy();
  }
  if (!gauge.endMarkSeen) throw damaged('the archive has no end mark: it is truncated');
}

async function unpackEntry(header: Header, body: AsyncIterable<unknown>, target: string, signal: AbortSignal) {
  const name = safeName(header.name);
  const mode = header.mode ?? 0;
  if (mode & 0o6000) throw unsafe(header.name, 'has a setuid or setgid bit');
  if (header.type === 'directory') {
    if (name !== '') await mkdir(join(target, name), { recursive: true, mode: 0o755 });
    return;
  }
  if (header.type !== 'file' && header.type !== 'contiguous-file') throw unsafe(header.name, `is a ${header.type}`);
  if (name === '' || header.name.endsWith('/')) throw unsafe(header.name, 'is a file with a directory as its name');
  const path = join(target, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  // 'wx': a second entry of the same name is refused rather than written over the first.
  const file = createWriteStream(path, { flags: 'wx', mode: mode & 0o111 ? 0o755 : 0o644 });
  await pipeline(body, file, { signal });
}

/** The entry's path relative to the target, or '' for the target itself. */
function safeName(name: string): string {
  if (name.length > 4096) throw unsafe(`${name.slice(0, 80)}...`, 'is longer than 4096 characters');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(name)) throw unsafe(name, 'has control characters or backslashes');
  if (name.startsWith('/')) throw unsafe(name, 'is an absolute path');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw unsafe(name, 'leads out of its directory');
  if (parts.length > 64) throw unsafe(name, 'is nested deeper than 64 directories');
  return parts.join('/');
}

/** Counts what comes out of the archive, stops bombs while they unpack, and looks for the end mark. */
class Gauge extends Transform {
  refusal: McpError | undefined;
  readonly #limits: UnpackLimits;
  readonly #packedBytes: number;
  #bytes = 0;
  #trailingZeros = 0;

  constructor(limits: UnpackLimits, packedBytes: number) {
    super();
    this.#limits = limits;
    this.#packedBytes = packedBytes;
  }

  get endMarkSeen(): boolean {
    return this.#trailingZeros >= 2 * blockBytes;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: Error | null, chunk?: Buffer) => void): void {
    this.#bytes += chunk.length;
    const zeros = trailingZeros(chunk);
    this.#trailingZeros = zeros === chunk.length ? this.#trailingZeros + zeros : zeros;
    const { maxBytes, maxRatio, ratioFloorBytes } = this.#limits;
    if (this.#bytes > maxBytes) this.refusal = tooLarge(`more than ${maxBytes} bytes unpacked`);
    else if (this.#bytes > ratioFloorBytes && this.#bytes > maxRatio * this.#packedBytes)
      this.refusal = tooLarge(`unpacks to more than ${maxRatio} times its size`);
    if (this.refusal) done(this.refusal);
    else done(null, chunk);
  }
}

function trailingZeros(chunk: Buffer): number {
  let end = chunk.length;
  while (end > 0 && chunk[end - 1] === 0) end -= 1;
  return chunk.length - end;
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function unzippedHead(path: string): Promise<Buffer> {
  const source = createReadStream(path, { highWaterMark: 4096 });
  const unzip = createGunzip({ chunkSize: blockBytes });
  // One error path: a damaged source ends the loop below as the unzipper's error.
  source.on('error', (error) => unzip.destroy(error));
  source.pipe(unzip);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of unzip) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= blockBytes) break;
    }
  } catch {
    // Not a gzip after all, or damaged: what came out until then decides.
  } finally {
    source.destroy();
    unzip.destroy();
  }
  return Buffer.concat(chunks).subarray(0, blockBytes);
}

function isTarHead(head: Buffer): boolean {
  return head.length === blockBytes && head.toString('latin1', 257, 262) === 'ustar';
}

function unsafe(name: string, why: string): McpError {
  return new McpError('ARTIFACT_UNSAFE', `the archive's entry ${JSON.stringify(name)} ${why}`, {
    hint: 'Pack plain files and directories only, with relative names.',
    details: { entry: name.slice(0, 200) },
  });
}

function tooLarge(what: string): McpError {
  return new McpError('ARTIFACT_TOO_LARGE', `the artifact is too large: ${what}`, {
    hint: 'Pack only what the service needs at run time.',
  });
}

function damaged(what: string, cause?: unknown): McpError {
  return new McpError('ARTIFACT_DAMAGED', `the artifact is damaged: ${what}`, {
    cause,
    hint: 'Build and publish the artifact again.',
  });
}

function asArtifactError(error: unknown): McpError {
  if (isMcpError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes(code))
    return new McpError('ARTIFACT_UNSAFE', `the archive has clashing entries: ${message}`, { cause: error });
  if (['ENOSPC', 'EDQUOT', 'EMFILE', 'EACCES', 'EROFS', 'EIO'].includes(code))
    return new McpError('ARTIFACT_NOT_KEPT', `the artifact could not be written: ${message}`, {
      cause: error,
      retryable: true,
      hint: "Free space in the machine's directory.",
    });
  return damaged(message, error);
}
