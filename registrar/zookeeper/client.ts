/** Opening sessions with a ZooKeeper ensemble: the registry's public entrance. */
import { isMcpError } from '../../specs/errors.ts';
import type { Acl, RegistryClient } from '../registry-client.ts';
import { parseConnectString } from './connect-string.ts';
import { brokenConnection } from './errors.ts';
import type { WireOptions } from './wire-client.ts';
import { WireClient } from './wire-client.ts';

export interface ZooKeeperOptions extends WireOptions {
  /** How long the first connection may take, over all servers, ms; default 30,000. */
  establishTimeoutMs?: number;
  /** Gives up the first connection. */
  signal?: AbortSignal;
}

/**
 * Opens a session with a ZooKeeper ensemble. `connectString` is `host:port,host:port/chroot`; the chroot's node must exist
 * before anything is created in it (see `makeChroot`). Rejects with REGISTRY_BAD_ARGUMENTS, REGISTRY_AUTH_FAILED,
 * REGISTRY_CONNECTION_LOSS when no server answered in time, or the signal's reason.
 */
export async function connectZooKeeper(connectString: string, options: ZooKeeperOptions = {}): Promise<RegistryClient> {
  options.signal?.throwIfAborted();
  let lastTrouble: unknown;
  const onTrouble = (error: unknown) => {
    lastTrouble = error;
    options.onTrouble?.(error);
  };
  const client = new WireClient(connectString, { ...options, onTrouble });
  const timeout = AbortSignal.timeout(options.establishTimeoutMs ?? 30_000);
  try {
    await client.connected(AbortSignal.any([timeout, ...(options.signal ? [options.signal] : [])]));
    return client;
  } catch (error) {
    await client.close();
    if (error !== timeout.reason || options.signal?.aborted) throw error;
    throw brokenConnection(connectString, lastTrouble ?? error);
  }
}

/** Makes the nodes of the connect string's chroot that do not exist yet. Safe to be done by several at once. */
export async function makeChroot(
  connectString: string,
  options: ZooKeeperOptions & { acl?: Acl[] } = {},
): Promise<void> {
  const { chroot } = parseConnectString(connectString);
  if (chroot === '') return;
  const { acl, ...rest } = options;
  const client = await connectZooKeeper(connectString.slice(0, connectString.indexOf('/')), rest);
  try {
    const { signal } = options;
    for (let end = chroot.indexOf('/', 1); ; end = chroot.indexOf('/', end + 1)) {
      const path = end === -1 ? chroot : chroot.slice(0, end);
      if ((await client.exists(path, { signal })) === null) {
        await client.create(path, '', { acl, signal }).catch((error: unknown) => {
          if (!isMcpError(error, 'REGISTRY_NODE_EXISTS')) throw error;
        });
      }
      if (end === -1) return;
    }
  } finally {
    await client.close();
  }
}
