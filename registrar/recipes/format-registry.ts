import { isMcpError, McpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { layoutFormat, paths, rootNodes } from '../layout.ts';
import type { ClusterRecord } from '../records.ts';
import type { CallOptions, MultiOp, RegistryClient } from '../registry-client.ts';
import { codecs, decode, encode } from '../store/codecs.ts';

const attempts = 5;
/** Made together with /cluster. */
const wantedNodes: readonly string[] = [paths.epoch, paths.suspended, ...rootNodes];

/**
 * Makes what is missing of the layout: on an empty tree all of it in one multi, so that a half of it is never
 * ours. Idempotent. CLUSTER_MISMATCH where the tree is of another cluster or format, is only a part of one (fault 19), or has
 * lost its epoch (it would start from 0 again).
 */
export async function formatRegistry(
  client: RegistryClient,
  clock: Clock,
  options: CallOptions & { clusterId: string },
): Promise<ClusterRecord> {
  const { clusterId, signal } = options;
  await ensureRoot(client, signal);
  for (let attempt = 1; ; attempt += 1) {
    const found = await findCluster(client, signal);
    if (found) requireCluster(found, clusterId);
    const missing = await missingNodes(client, signal);
    if (!found && missing.length < wantedNodes.length) {
      if (attempt > 1) throw mismatch(`there is a part of a tree without ${paths.cluster}`);
      continue;
    }
    if (found && (missing.includes(paths.epoch) || missing.includes(paths.suspended))) {
      throw mismatch(`the tree of cluster ${found.id} has lost ${paths.epoch} or ${paths.suspended}`);
    }
    const at = clock.now();
    const cluster = found ?? { id: clusterId, format: layoutFormat, createdAt: at };
    const ops: MultiOp[] = missing.map((path) => ({ op: 'create', path, data: firstData(path, at) }));
    if (!found) ops.unshift({ op: 'create', path: paths.cluster, data: encode(codecs.cluster, cluster) });
    if (ops.length === 0) return cluster;
    try {
      await client.multi(ops, { signal });
      return cluster;
    } catch (error) {
      const again = isMcpError(error, 'REGISTRY_NODE_EXISTS', 'REGISTRY_CONNECTION_LOSS');
      if (!again || attempt === attempts) throw error;
    }
  }
}

/** /cluster, or CLUSTER_MISMATCH where there is none, or it is of another format, or not of `clusterId` where that is given. */
export async function readCluster(
  client: RegistryClient,
  options: CallOptions & { clusterId?: string } = {},
): Promise<ClusterRecord> {
  const found = await findCluster(client, options.signal);
  if (!found) throw mismatch('the registry holds no cluster: it was never set up, or it was wiped');
  requireCluster(found, options.clusterId ?? found.id);
  return found;
}

/** Passes a read of a node on that every cluster has; CLUSTER_MISMATCH where it is missing (fault 19: a wiped tree halts us). */
export async function required<T>(path: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    throw mismatch(`${path} is missing: the registry was never set up, or it was wiped`, error);
  }
}

async function findCluster(client: RegistryClient, signal?: AbortSignal): Promise<ClusterRecord | null> {
  try {
    const { data } = await client.get(paths.cluster, { signal });
    return decode(codecs.cluster, paths.cluster, data);
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
    if (isMcpError(error, 'RECORD_INVALID')) throw mismatch('the registry holds a tree that is not ours', error);
    throw error;
  }
}

function requireCluster(found: ClusterRecord, clusterId: string): void {
  if (found.format !== layoutFormat) {
    throw mismatch(`the registry's layout has format ${found.format}, this MCP knows ${layoutFormat}`);
  }
  if (found.id !== clusterId) throw mismatch(`the registry belongs to cluster ${found.id}, not to ${clusterId}`);
}

async function missingNodes(client: RegistryClient, signal?: AbortSignal): Promise<string[]> {
  const stats = await Promise.all(wantedNodes.map((path) => client.exists(path, { signal })));
  return wantedNodes.filter((_, index) => stats[index] === null);
}

function firstData(path: string, at: number): string {
  if (path === paths.epoch) return encode(codecs.epoch, { leader: '', at });
  if (path === paths.suspended) return encode(codecs.suspended, { suspended: false, reason: '', by: '', at });
  return '';
}

/** The node that the client's chroot names. */
async function ensureRoot(client: RegistryClient, signal?: AbortSignal): Promise<void> {
  if ((await client.exists('/', { signal })) !== null) return;
  try {
    await client.create('/', '', { signal });
  } catch (error) {
    if (!isMcpError(error, 'REGISTRY_NODE_EXISTS')) throw error;
  }
}

function mismatch(message: string, cause?: unknown): McpError {
  return new McpError('CLUSTER_MISMATCH', message, {
    cause,
    hint: 'Check the connect string and its root; nothing is changed in a registry that is not this cluster’s. One of a local environment that was wiped is set up anew by mcp up.',
  });
}
