/** What a machine's agent reads of the registry: whole or not at all, so that a failed read never looks like an order. */
import { isMcpError, type McpError } from '../../specs/errors.ts';
import { paths } from '../layout.ts';
import { readCluster } from '../recipes/format-registry.ts';
import type { AssignmentRecord, MachineState, QuarantineRecord } from '../records.ts';
import type { RegistryClient, Zxid } from '../registry-client.ts';
import { type Codec, codecs, decode } from '../store/codecs.ts';
import type { MachineRights } from './machine-rights.ts';
import type { ConfigValues } from './service-config.ts';

export type AgentWorld =
  | {
      ledger: 'here';
      /** What the ledger says this machine is; null where that can't be read: no reason to stop anything. */
      state: MachineState | null;
      /** A string says what is wrong with the assignment that is there. */
      assignment: AssignmentRecord | string | null;
      /** Of the assigned service; where none was ever published, it is empty. */
      config: { values: ConfigValues; since: Zxid } | null;
      /** A gateway's word that a registration of this machine is left out. */
      quarantine: QuarantineRecord | null;
    }
  /** Our cluster's registry, without this machine. */
  | { ledger: 'missing' }
  /** Not our cluster's registry, or a wiped one. */
  | { ledger: 'foreign'; error: McpError };

/** Rejects where anything could not be read. A damaged configuration counts as unreadable: the last good one stays. */
export async function readWorld(
  client: RegistryClient,
  machine: string,
  clusterId: string,
  signal: AbortSignal,
  rights?: MachineRights,
): Promise<AgentWorld> {
  // Asked for at once: an emulated machine takes its time for each round trip, and somebody waits for it to serve.
  const [foreign, state, assignment, quarantine] = await Promise.all([
    readForeign(client, clusterId, signal),
    readState(client, paths.machine(machine), signal),
    readAssignment(client, paths.assignment(machine), signal),
    readQuarantine(client, paths.quarantine(machine), signal),
  ]);
  if (foreign) return { ledger: 'foreign', error: foreign };
  if (state === 'missing') return { ledger: 'missing' };
  const known = { ledger: 'here' as const, state, quarantine };
  if (assignment === null || typeof assignment === 'string') return { ...known, assignment, config: null };
  // The session keeps the order: what the key allows is read with it.
  const [, config] = await Promise.all([
    rights?.enter(client, assignment.key),
    read(client, codecs.config, paths.config(assignment.service), signal),
  ]);
  const values = config ? { values: config.value.values, since: config.since } : { values: {}, since: 0 };
  return { ...known, assignment, config: values };
}

async function readForeign(client: RegistryClient, clusterId: string, signal: AbortSignal): Promise<McpError | null> {
  try {
    await readCluster(client, { clusterId, signal });
    return null;
  } catch (error) {
    if (isMcpError(error, 'CLUSTER_MISMATCH')) return error;
    throw error;
  }
}

async function readState(client: RegistryClient, path: string, signal: AbortSignal) {
  try {
    return (await read(client, codecs.machine, path, signal))?.value.state ?? 'missing';
  } catch (error) {
    if (isMcpError(error, 'RECORD_INVALID')) return null;
    throw error;
  }
}

async function readAssignment(client: RegistryClient, path: string, signal: AbortSignal) {
  try {
    return (await read(client, codecs.assignment, path, signal))?.value ?? null;
  } catch (error) {
    if (isMcpError(error, 'RECORD_INVALID')) return error.message;
    throw error;
  }
}

/** It only explains something: one that can't be understood, or may not be read, explains nothing. */
async function readQuarantine(client: RegistryClient, path: string, signal: AbortSignal) {
  try {
    return (await read(client, codecs.quarantine, path, signal))?.value ?? null;
  } catch (error) {
    if (isMcpError(error, 'RECORD_INVALID', 'REGISTRY_NO_AUTH')) return null;
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
