/** When all instances of a service must restart, they go one after the other, in the order of their machine ids. */
import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { AgentRecord } from '../records.ts';
import type { RegistryClient, Zxid } from '../registry-client.ts';
import { codecs, decode } from '../store/codecs.ts';

/** A machine before us in the queue. */
export interface Peer {
  service?: string;
  phase: AgentRecord['phase'];
  /** When its registration was made; null: it has none now. */
  registeredAt: Zxid | null;
}

/** In these phases a machine serves nothing, and will not soon: nobody waits for it. */
const outOfService: readonly AgentRecord['phase'][] = ['idle', 'failed', 'stopped'];

/**
 * True where the peer has to restart yet, or is about it: in our service, and not registered since the change. Pure.
 * @param since zxid of the change for which all restart
 */
export function goesFirst(peer: Peer, service: string, since: Zxid): boolean {
  if (peer.service !== service || outOfService.includes(peer.phase)) return false;
  return peer.registeredAt === null || peer.registeredAt < since;
}

export interface Turn {
  client: () => RegistryClient | null;
  me: string;
  service: string;
  since: Zxid;
  /** A peer that is not back this long, ms, after it went is not waited for any longer. */
  patienceMs: number;
  clock: Clock;
  signal: AbortSignal;
}

const lookMs = 250;
/** The whole wait's bound, as a multiple of the patience with one peer. */
const mostPatience = 20;

/**
 * Resolves when it is this machine's turn: when the nearest machine before it in the queue has restarted, which itself waited
 * for the one before. A registry that can't be read is waited for as a peer is.
 */
export async function awaitTurn(turn: Turn): Promise<void> {
  const { patienceMs, clock, signal } = turn;
  const start = clock.monotonic();
  let goneSince: number | null = null;
  while (!signal.aborted && clock.monotonic() - start < mostPatience * patienceMs) {
    const before = await findBefore(turn).catch(() => undefined);
    if (before === null) return;
    const there = before !== undefined && before.registeredAt !== null;
    goneSince = there ? null : (goneSince ?? clock.monotonic());
    if (goneSince !== null && clock.monotonic() - goneSince >= patienceMs) return;
    await clock.sleep(lookMs, signal).catch(() => {});
  }
}

/** The nearest machine before us that goes first; null: none. Rejects where the registry can't be read. */
async function findBefore({ client, me, service, since, signal }: Turn): Promise<Peer | null> {
  const registry = client();
  if (!registry) throw new Error('no session');
  const { children: machines } = await registry.children(paths.machines, { signal });
  // From the nearest downwards: it is almost always the answer, so few nodes are read however many machines there are.
  for (const machine of machines.filter((one) => one < me).reverse()) {
    const peer = await readPeer(registry, machine, signal);
    if (peer && goesFirst(peer, service, since)) return peer;
  }
  return null;
}

/** What a live agent says of itself, and its registration; null where no agent lives or it can't be understood. */
async function readPeer(registry: RegistryClient, machine: string, signal: AbortSignal): Promise<Peer | null> {
  const path = paths.agent(machine);
  try {
    const { service, version, phase } = decode(codecs.agent, path, (await registry.get(path, { signal })).data);
    if (service === undefined || version === undefined) return null;
    const stat = await registry.exists(paths.registration(service, version, machine), { signal });
    return { service, phase, registeredAt: stat?.czxid ?? null };
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE', 'REGISTRY_NO_AUTH', 'RECORD_INVALID')) return null;
    throw error;
  }
}
