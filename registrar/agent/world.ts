/** What a machine's agent reads of the registry: whole or not at all, so that a failed read never looks like an order. */
import { isMcpError, type McpError } from '../../specs/errors.ts';
import { paths } from '../layout.ts';
import { readCluster } from '../recipes/format-registry.ts';
import type { AssignmentRecord } from '../records.ts';
import type { RegistryClient, Zxid } from '../registry-client.ts';
import { type Codec, codecs, decode } from '../store/codecs.ts';
import type { ConfigValues } from './service-config.ts';

export type AgentWorld =
  | {
      ledger: 'here';
      /** A string says what is wrong with the assignment that is there. */
      assignment: AssignmentRecord | string | null;
      /** Of the assigned service; where none was ever published, it is empty. */
      config: { values: ConfigValues; since: Zxid } | null;
    }
  /** Our cluster's registry, without this machine. `buried`: the controller wrote down that it ended; else the ledger may be damaged. */
  | { ledger: 'missing'; buried: boolean }
  /** Not our cluster's registry, or a wiped one. */
  | { ledger: 'foreign'; error: McpError };

/** Rejects where anything could not be read. A damaged configuration counts as unreadable: the last good one stays. */
export async function readWorld(
  client: RegistryClient,
  machine: string,
  clusterId: string,
  signal: AbortSignal,
): Promise<AgentWorld> {
  try {
    await readCluster(client, { clusterId, signal });
  } catch (error) {
    if (isMcpError(error, 'CLUSTER_MISMATCH')) return { ledger: 'foreign', error };
    throw error;
  }
  if ((await client.exists(paths.machine(machine), { signal })) === null) {
    return { ledger: 'missing', buried: (await client.exists(paths.ended(machine), { signal })) !== null };
  }
  const assignment = await readAssignment(client, paths.assignment(machine), signal);
  if (assignment === null || typeof assignment === 'string') return { ledger: 'here', assignment, config: null };
  const config = await read(client, codecs.config, paths.config(assignment.service), signal);
  const known = config ? { values: config.value.values, since: config.since } : { values: {}, since: 0 };
  return { ledger: 'here', assignment, config: known };
}

async function readAssignment(client: RegistryClient, path: string, signal: AbortSignal) {
  try {
    return (await read(client, codecs.assignment, path, signal))?.value ?? null;
  } catch (error) {
    if (isMcpError(error, 'RECORD_INVALID')) return error.message;
    throw error;
  }
}

async function read<T>(client: RegistryClient, codec: Codec<T>, path: string, signal: AbortSignal) {
  try {
    const { data, stat } = await client.get(path, { signal });
    return { value: decode(codec, path, data), since: stat.mzxid };
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
    throw error;
  }
}
