/** The machine's artifacts: fetched, checked against their digest, unpacked, and kept by digest. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { isMcpError, McpError } from '../../specs/errors.ts';
import type { Artifact } from '../../specs/nouns.ts';
import { openHttp } from './http-source.ts';
import { archiveKind, defaultUnpackLimits, type UnpackLimits, untar } from './untar.ts';

export interface ArtifactLimits extends UnpackLimits {
  /** Bytes of the artifact as fetched. */
  maxArtifactBytes: number;
  /** The longest wait for the whole fetch, ms. */
  fetchTimeoutMs: number;
}

export const defaultArtifactLimits: ArtifactLimits = {
  ...defaultUnpackLimits,
  maxArtifactBytes: 1024 ** 3,
  fetchTimeoutMs: 10 * 60_000,
};

/** Where this machine gets an artifact from, and what it says of itself there. */
type SourceOf = (artifact: Artifact) => { url: string; headers: Readonly<Record<string, string>> };

const ownUrl: SourceOf = ({ url }) => ({ url, headers: {} });

const temporaryPrefix = '.tmp-';
const archiveName = /\.(tar|tgz|tar\.gz)$/i;

export class ArtifactStore {
  readonly #dir: string;
  readonly #limits: ArtifactLimits;
  readonly #sourceOf: SourceOf;

  /** @param dir made when needed; wholly the store's own */
  constructor(dir: string, limits: ArtifactLimits = defaultArtifactLimits, sourceOf: SourceOf = ownUrl) {
    this.#dir = dir;
    this.#limits = limits;
    this.#sourceOf = sourceOf;
  }

  /** Removes what a killed agent left half-fetched. Only to be called while nothing is being fetched. */
  async sweep(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    for (const name of await readdir(this.#dir))
      if (name.startsWith(temporaryPrefix)) await rm(join(this.#dir, name), { recursive: true, force: true });
  }

  /**
   * The directory that holds the unpacked artifact (or the single file, under its URL's base name), fetched if it is not
   * here yet. It appears whole or not at all.
   * Errors: ARTIFACT_BAD_URL, ARTIFACT_UNAVAILABLE (retryable), ARTIFACT_DIGEST_MISMATCH, ARTIFACT_TOO_LARGE,
   * ARTIFACT_UNSAFE, ARTIFACT_DAMAGED, ARTIFACT_NOT_KEPT (retryable); the signal's reason when aborted.
   */
  async fetch(artifact: Artifact, signal?: AbortSignal): Promise<string> {
    if (!/^[0-9a-f]{64}$/.test(artifact.sha256))
      throw new McpError('ARTIFACT_DIGEST_MISMATCH', `not a sha256: ${JSON.stringify(artifact.sha256.slice(0, 80))}`);
    const home = join(this.#dir, artifact.sha256);
    if (await isThere(home)) return home;
    await mkdir(this.#dir, { recursive: true });
    const workshop = await mkdtemp(join(this.#dir, temporaryPrefix));
    try {
      const packed = join(workshop, 'packed');
      const content = join(workshop, 'content');
      await mkdir(content);
      await this.#download(artifact, packed, signal);
      await this.#unpack(artifact, packed, content, signal);
      await rename(content, home);
      return home;
    } catch (error) {
      signal?.throwIfAborted();
      // Another fetch of the same digest was faster: its result is as good.
      if (await isThere(home)) return home;
      if (isMcpError(error)) throw error;
      throw new McpError('ARTIFACT_NOT_KEPT', `the artifact could not be kept: ${messageOf(error)}`, {
        cause: error,
        retryable: true,
        hint: "See that the machine's directory is writable and has space.",
      });
    } finally {
      await rm(workshop, { recursive: true, force: true });
    }
  }

  async #download(artifact: Artifact, to: string, signal?: AbortSignal): Promise<void> {
    const deadline = AbortSignal.timeout(this.#limits.fetchTimeoutMs);
    const both = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const hash = createHash('sha256');
    const meter = meterTo(hash, this.#limits.maxArtifactBytes);
    try {
      await pipeline(await openSource(this.#sourceOf(artifact), both), meter, createWriteStream(to), { signal: both });
    } catch (error) {
      signal?.throwIfAborted();
      if (isMcpError(error)) throw error;
      const why = deadline.aborted ? `not here after ${this.#limits.fetchTimeoutMs} ms` : messageOf(error);
      throw unavailable(artifact.url, why, error);
    }
    const digest = hash.digest('hex');
    if (digest !== artifact.sha256)
      throw new McpError(
        'ARTIFACT_DIGEST_MISMATCH',
        `${shownUrl(artifact.url)} has sha256 ${digest}, not the declared one`,
        {
          hint: 'Either the artifact was changed after it was declared, or what answered is not the artifact.',
          details: { declared: artifact.sha256, found: digest },
        },
      );
  }

  async #unpack(artifact: Artifact, packed: string, content: string, signal?: AbortSignal): Promise<void> {
    const kind = await archiveKind(packed);
    if (kind !== 'not-an-archive') return untar(packed, content, { kind, limits: this.#limits, signal });
    const name = baseName(artifact.url);
    if (archiveName.test(name))
      throw new McpError('ARTIFACT_DAMAGED', `${name} is called an archive but holds none`, {
        hint: 'Build and publish the artifact again.',
      });
    await copyFile(packed, join(content, name));
    // A single file is most often a program; a script read by its interpreter does not mind.
    await chmod(join(content, name), 0o755);
  }
}

async function openSource({ url, headers }: ReturnType<SourceOf>, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
  const parsed = parseUrl(url);
  if (parsed.protocol === 'file:') return createReadStream(fileURLToPath(parsed));
  if (parsed.protocol === 'http:' || parsed.protocol === 'https:') return openHttp(parsed, signal, headers);
  throw badUrl(url, `${parsed.protocol} is not supported`);
}

function parseUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (!parsed) throw badUrl(url, 'not a URL');
  if (parsed.protocol === 'file:' && parsed.host !== '') throw badUrl(url, 'a file: URL must not name a host');
  return parsed;
}

function baseName(url: string): string {
  const name = basename(decodeURIComponent(parseUrl(url).pathname));
  // After decoding, `%2e%2e` and the like must not become a way out.
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw badUrl(url, 'it names no file');
  return name;
}

function meterTo(hash: { update(chunk: Buffer): unknown }, maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes <= maxBytes) done(null, chunk);
      else done(new McpError('ARTIFACT_TOO_LARGE', `the artifact is larger than ${maxBytes} bytes`));
    },
  });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function unavailable(url: string, why: string, cause?: unknown): McpError {
  return new McpError('ARTIFACT_UNAVAILABLE', `${shownUrl(url)} could not be fetched: ${why}`, {
    cause,
    retryable: true,
    hint: 'See that the artifact is where the environment says, readable from the machine.',
  });
}

function badUrl(url: string, why: string): McpError {
  return new McpError('ARTIFACT_BAD_URL', `${shownUrl(url)}: ${why}`, {
    hint: 'An artifact is a file:, http: or https: URL of a file.',
  });
}

/** Without user, password and query, which may hold secrets. */
function shownUrl(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? `${parsed.protocol}//${parsed.host}${parsed.pathname}` : JSON.stringify(url.slice(0, 80));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
