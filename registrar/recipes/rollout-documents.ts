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

/**
 * All rollouts by service. A damaged one throws RECORD_INVALID, a missing list CLUSTER_MISMATCH, unless `onDamage` is there to
 * be told: then what can't be read is left out.
 */
export async function readRollouts(
  client: RegistryClient,
  options: CallOptions & { onDamage?: (reason: string) => void } = {},
): Promise<Record<string, Versioned<RolloutRecord>>> {
  const { signal, onDamage } = options;
  const listed = required(paths.rollouts, client.children(paths.rollouts, { signal }));
  const { children } = await listed.catch((error: unknown) => {
    if (!onDamage || !isMcpError(error, 'CLUSTER_MISMATCH')) throw error;
    return { children: [] };
  });
  const found = await mapBounded(children, parallel, async (service) => {
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

/**
 * `read`'s declaration and the rollouts of one moment: both are written in one multi, and the new one of the one with the old
 * one of the other would be a world that nobody wanted. Both are asked for at once, between two looks at the declaration's version;
 * a session's requests are answered in their order. Where somebody declares faster than this can read, the last try counts.
 */
export async function withRollouts<T extends { version: number | null } | null, R>(
  client: RegistryClient,
  read: () => Promise<T>,
  readAll: () => Promise<R>,
  options: CallOptions = {},
): Promise<[T, R]> {
  for (let tries = 1; ; tries += 1) {
    const [before, declared, rollouts] = await Promise.all([client.exists(paths.desired, options), read(), readAll()]);
    const after = await client.exists(paths.desired, options);
    const isOneMoment = [before, after].every((stat) => (stat?.version ?? null) === (declared?.version ?? null));
    if (tries === attempts || isOneMoment) return [declared, rollouts];
  }
}
