import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Agent, type Dispatcher, errors } from 'undici';
import { isMcpError, McpError } from '../../specs/errors.ts';

export interface FetchLimits {
  /** ms for everything: connecting, waiting, reading. */
  timeoutMs: number;
  /** Bytes after decompression. */
  maxBytes: number;
}

export const defaultLimits: FetchLimits = { timeoutMs: 5_000, maxBytes: 2 * 1024 * 1024 };

export interface Fetched {
  bytes: Uint8Array;
  /** sha256 of the bytes, hex. */
  digest: string;
}

/**
 * Reads a document from the registered address, port and path, and from nowhere else: names are not resolved, redirects not
 * followed, proxies of the process's environment not used. What is sent back is bounded in time and in decoded size.
 *
 * Throws DOCUMENT_BAD_TARGET, DOCUMENT_UNREACHABLE, DOCUMENT_TIMEOUT, DOCUMENT_REDIRECT, DOCUMENT_STATUS, DOCUMENT_ENCODING,
 * DOCUMENT_TOO_LARGE; retryable where the instance may answer better later.
 */
export async function fetchDocument(
  target: { address: string; port: number; path: string },
  limits: FetchLimits,
  signal?: AbortSignal,
): Promise<Fetched> {
  const origin = originOf(target);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), limits.timeoutMs);
  const agent = new Agent({ connections: 1, pipelining: 0, maxHeaderSize: 16_384 });
  try {
    const response = await agent.request({
      origin,
      path: target.path,
      method: 'GET',
      headers: {
        accept: 'application/json, application/yaml;q=0.9, */*;q=0.5',
        'accept-encoding': 'gzip, deflate, br',
      },
      signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
    });
    try {
      refuseStatus(response);
      const bytes = await readBounded(decoded(response), limits.maxBytes);
      return { bytes, digest: createHash('sha256').update(bytes).digest('hex') };
    } finally {
      // An undrained body would else report the abort below as an unhandled error.
      response.body.on('error', () => {}).destroy();
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw explain(cause, late.signal, limits, target);
  } finally {
    clearTimeout(timer);
    await agent.destroy();
  }
}

function originOf({ address, port, path }: { address: string; port: number; path: string }): string {
  const family = isIP(address);
  if (family === 0 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new McpError('DOCUMENT_BAD_TARGET', `not an address and port: ${address.slice(0, 60)}:${port}`);
  }
  if (!/^\/[!-~]*$/.test(path) || path.includes('#')) {
    throw new McpError('DOCUMENT_BAD_TARGET', `not a path: ${JSON.stringify(path.slice(0, 100))}`);
  }
  return `http://${family === 6 ? `[${address}]` : address}:${port}`;
}

function refuseStatus({ statusCode, headers }: Dispatcher.ResponseData): void {
  if (statusCode === 200) return;
  if (statusCode >= 300 && statusCode < 400) {
    throw new McpError('DOCUMENT_REDIRECT', `answers ${statusCode} to ${String(headers.location).slice(0, 200)}`, {
      hint: 'Redirects are not followed: declare the path at which the document itself is.',
    });
  }
  throw new McpError('DOCUMENT_STATUS', `answers ${statusCode}`, {
    retryable: statusCode >= 500 || statusCode === 429,
  });
}

function decoded({ headers, body }: Dispatcher.ResponseData): Readable {
  const encoding = String(headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  if (encoding === 'identity' || encoding === '') return body;
  const decoders = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress };
  if (!Object.hasOwn(decoders, encoding)) {
    throw new McpError('DOCUMENT_ENCODING', `content-encoding ${encoding.slice(0, 40)} is not known`);
  }
  const decoder = decoders[encoding as keyof typeof decoders]();
  body.on('error', (error) => decoder.destroy(error));
  decoder.on('close', () => body.destroy());
  return body.pipe(decoder);
}

async function readBounded(stream: Readable, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Checked as it is decoded, so a bomb costs at most one chunk more than the bound.
    if (size > maxBytes) throw new McpError('DOCUMENT_TOO_LARGE', `more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function explain(
  cause: unknown,
  deadline: AbortSignal,
  limits: FetchLimits,
  at: { address: string; port: number },
): McpError {
  if (isMcpError(cause)) return cause;
  const timedOut =
    deadline.aborted || cause instanceof errors.ConnectTimeoutError || cause instanceof errors.HeadersTimeoutError;
  if (timedOut) {
    return new McpError('DOCUMENT_TIMEOUT', `no complete answer within ${limits.timeoutMs} ms`, {
      cause,
      retryable: true,
    });
  }
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (code.startsWith('Z_') || code.startsWith('ERR_') || /^(incorrect|unexpected end)/.test(message)) {
    return new McpError('DOCUMENT_ENCODING', `can't be decompressed: ${message.slice(0, 200)}`, {
      cause,
      retryable: true,
    });
  }
  return new McpError('DOCUMENT_UNREACHABLE', `${at.address}:${at.port}: ${message.slice(0, 200)}`, {
    cause,
    retryable: true,
  });
}
