/** When all instances of a service must restart, they go one after the other, in the order of their machine ids. */
import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { RegistryClient, Zxid } from '../registry-client.ts';

export interface Peer {
  machine: string;
  path: string;
  /** When its registration was made: after the change, it has restarted already. */
  czxid: Zxid;
}

/** Who must have restarted before `me`: the nearest before it that has not yet. Null: nobody. Pure. */
export function goesBefore(me: string, peers: readonly Peer[], since: Zxid): Peer | null {
  const pending = peers.filter((peer) => peer.machine < me && peer.czxid < since);
  return pending.reduce<Peer | null>((last, peer) => (last && last.machine > peer.machine ? last : peer), null);
}

const lookMs = 250;

/**
 * Resolves when it is this machine's turn. A peer that is not back `patienceMs` after it went is not waited for any longer,
 * nor is one that does not go at all, nor a registry that can't be read.
 * @param since zxid of the change for which all restart
 */
export async function awaitTurn(options: {
  client: () => RegistryClient | null;
  me: string;
  service: string;
  since: Zxid;
  patienceMs: number;
  clock: Clock;
  signal: AbortSignal;
}): Promise<void> {
  const { client, me, service, since, patienceMs, clock, signal } = options;
  const peers = await listPeers(client(), service, signal).catch(() => []);
  const before = goesBefore(me, peers, since);
  if (!before) return;
  // It waits for those before it in the same way, so the whole queue is bounded by their number.
  const ahead = peers.filter((peer) => peer.machine < me && peer.czxid < since).length;
  const start = clock.monotonic();
  let lastSeen = start;
  while (!signal.aborted && clock.monotonic() - start < ahead * patienceMs * 2) {
    const stat = await (client()?.exists(before.path, { signal }) ?? Promise.reject(new Error('no session'))).catch(
      () => undefined,
    );
    if (stat && stat.czxid > since) return;
    if (stat !== null) lastSeen = clock.monotonic();
    if (clock.monotonic() - lastSeen >= patienceMs) return;
    await clock.sleep(lookMs, signal).catch(() => {});
  }
}

async function listPeers(client: RegistryClient | null, service: string, signal: AbortSignal): Promise<Peer[]> {
  if (!client) return [];
  const peers: Peer[] = [];
  const { children: versions } = await client.children(paths.service(service), { signal });
  for (const version of versions) {
    const { children: machines } = await client
      .children(paths.version(service, version), { signal })
      .catch((error: unknown) => {
        if (isMcpError(error, 'REGISTRY_NO_NODE')) return { children: [] };
        throw error;
      });
    for (const machine of machines) {
      const path = paths.registration(service, version, machine);
      const stat = await client.exists(path, { signal });
      if (stat) peers.push({ machine, path, czxid: stat.czxid });
    }
  }
  return peers;
}
