import { isMcpError, McpError } from '../../specs/errors.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';
import { type Codec, decode, encode } from '../store/codecs.ts';
import { required } from './format-registry.ts';

/** A document with the znode version it was read at. */
export interface Versioned<T> {
  record: T;
  version: number;
}

/** Tries of a read-modify-write that others disturb. */
export const writeAttempts = 10;

/** Reads a document; null where there is none. */
export async function readDocument<T>(
  client: RegistryClient,
  path: string,
  codec: Codec<T>,
  options: CallOptions = {},
): Promise<Versioned<T> | null> {
  try {
    const { data, stat } = await client.get(path, options);
    return { record: decode(codec, path, data), version: stat.version };
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
    throw error;
  }
}

/** Reads a document that every cluster has; CLUSTER_MISMATCH where it is missing. */
export async function requireDocument<T>(
  client: RegistryClient,
  path: string,
  codec: Codec<T>,
  options: CallOptions = {},
): Promise<Versioned<T>> {
  const { data, stat } = await required(path, client.get(path, options));
  return { record: decode(codec, path, data), version: stat.version };
}

/**
 * Reads, changes and writes a document, only if no one else wrote it meanwhile; if someone did, it starts over with what is
 * there then. `change` is pure, gives null where nothing is to be changed, and gets null where there is no document yet.
 * After a lost reply it also starts over: so `change` must see by the record itself what it already did. Gives what is there
 * at the end. WRITE_CONFLICT after `writeAttempts` tries; WRITE_UNKNOWN (retryable) where the last reply was lost too.
 */
export async function updateDocument<T>(
  client: RegistryClient,
  path: string,
  codec: Codec<T>,
  change: (record: T | null) => T | null,
  options: CallOptions = {},
): Promise<Versioned<T> | null> {
  return retryConflicts(path, async () => {
    const found = await readDocument(client, path, codec, options);
    const record = change(found?.record ?? null);
    if (record === null) return found;
    const data = encode(codec, record);
    if (found === null) {
      await client.create(path, data, options);
      return { record, version: 0 };
    }
    const stat = await client.set(path, data, found.version, options);
    return { record, version: stat.version };
  });
}

/** Runs a whole read-modify-write again while others are faster or replies get lost, a bounded number of times. */
export async function retryConflicts<T>(path: string, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const lost = isMcpError(error, 'REGISTRY_CONNECTION_LOSS');
      if (!lost && !isMcpError(error, 'REGISTRY_BAD_VERSION', 'REGISTRY_NODE_EXISTS', 'REGISTRY_NO_NODE')) throw error;
      if (tries < writeAttempts) continue;
      if (lost) {
        throw new McpError('WRITE_UNKNOWN', `the registry did not answer; ${path} may have been written`, {
          cause: error,
          retryable: true,
          hint: 'Look at it before trying again.',
        });
      }
      throw new McpError('WRITE_CONFLICT', `${path} was changed by others ${tries} times in a row`, {
        cause: error,
        retryable: true,
        hint: 'Try again.',
      });
    }
  }
}
