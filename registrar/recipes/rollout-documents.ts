/** The rollouts in the registry, and the declaration that they belong to. */
import { isMcpError } from '../../specs/errors.ts';
import { paths } from '../layout.ts';
import type { CallOptions, RegistryClient } from '../registry-client.ts';
import type { RolloutRecord } from '../rollout-records.ts';
import { codecs } from '../store/codecs.ts';
import { required } from './format-registry.ts';
import { mapBounded } from './map-bounded.ts';
import { readDocument, type Versioned } from './versioned-document.ts';

const parallel = 64;
/** Tries to see declaration and rollouts of one moment. */
const attempts = 5;

/** The last rollout of a service, over or not; null where there was none. */
export function readRollout(
  client: RegistryClient,
  service: string,
  options: CallOptions = {},
): Promise<Versioned<RolloutRecord> | null> {
  return readDocument(client, paths.rollout(service), codecs.rollout, options);
}

/** How rollouts are read. */
export interface ReadRollouts extends CallOptions {
  /** Told of what is damaged, which is then left out; without it a damaged one throws RECORD_INVALID, a missing list CLUSTER_MISMATCH. */
  onDamage?: (reason: string) => void;
}

type Found = Record<string, Versioned<RolloutRecord>>;

/** All rollouts by service. */
export async function readRollouts(client: RegistryClient, options: ReadRollouts = {}): Promise<Found> {
  return readEach(client, await listRollouts(client, options), options);
}

async function listRollouts(client: RegistryClient, { signal, onDamage }: ReadRollouts): Promise<string[]> {
  const listed = required(paths.rollouts, client.children(paths.rollouts, { signal }));
  const { children } = await listed.catch((error: unknown) => {
    if (!onDamage || !isMcpError(error, 'CLUSTER_MISMATCH')) throw error;
    return { children: [] };
  });
  return children;
}

async function readEach(
  client: RegistryClient,
  services: readonly string[],
  { signal, onDamage }: ReadRollouts,
): Promise<Found> {
  const found = await mapBounded(services, parallel, async (service) => {
    try {
      return [service, await readRollout(client, service, { signal })] as const;
    } catch (error) {
      if (!onDamage || !isMcpError(error, 'RECORD_INVALID')) throw error;
      onDamage(error.message);
      return [service, null] as const;
    }
  });
  const there = found.filter((entry): entry is [string, Versioned<RolloutRecord>] => entry[1] !== null);
  return Object.fromEntries(there);
}

interface OneMoment extends ReadRollouts {
  /** The rollout of this service alone; absent: all. */
  only?: string;
  /** Services that had one when they were read last: asked for without waiting for the list. */
  known?: readonly string[];
}

/** /desired as `read` gives it; `damage`: why it is a copy, for which more had to be read. */
type Declaration = { version: number | null; damage?: string | null } | null;

/**
 * `read`'s declaration and the rollouts of one moment: both are written in one multi, and the new one of the one with the old
 * one of the other would be a world that nobody wanted. All is asked for at once, between two looks at the declaration's version: a
 * session's requests are answered in their order. So where no service is new it takes one answer's time. Where somebody declares
 * faster than this can read, the last try counts.
 */
export async function withRollouts<T extends Declaration>(
  client: RegistryClient,
  read: () => Promise<T>,
  options: OneMoment = {},
): Promise<[T, Found]> {
  const { signal, only } = options;
  const look = () => client.exists(paths.desired, { signal });
  let known = only === undefined ? (options.known ?? []) : [only];
  for (let tries = 1; ; tries += 1) {
    const [before, declared, listed, first, between] = await Promise.all([
      look(),
      read(),
      only === undefined ? listRollouts(client, options) : known,
      readEach(client, known, options),
      look(),
    ]);
    const others = listed.filter((service) => !known.includes(service));
    const rollouts = others.length > 0 ? { ...first, ...(await readEach(client, others, options)) } : first;
    const after = others.length > 0 || declared?.damage ? await look() : between;
    const isOneMoment = [before, after].every((stat) => (stat?.version ?? null) === (declared?.version ?? null));
    if (tries === attempts || isOneMoment) return [declared, rollouts];
    known = listed;
  }
}
