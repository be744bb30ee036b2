/** Opening sessions with a ZooKeeper ensemble: the registry's public entrance. */
import type { RegistryClient } from '../registry-client.ts';
import { brokenConnection } from './errors.ts';
import { WireClient } from './wire-client.ts';
import type { WireOptions } from './wire-options.ts';

export interface ZooKeeperOptions extends WireOptions {
  /** How long the first connection may take, over all servers, ms; default 30,000. */
  establishTimeoutMs?: number;
  /** Gives up the first connection. */
  signal?: AbortSignal;
}

/**
 * Opens a session with a ZooKeeper ensemble. `connectString` is `host:port,host:port/chroot`; the chroot's node must exist
 * before anything is created in it (creating `/` creates it). Rejects with REGISTRY_BAD_ARGUMENTS, REGISTRY_AUTH_FAILED,
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
