/** Write operations with every default filled in and every argument checked: what both clients take from their callers. */
import type { Acl, CreateMode, MultiOp, MultiResult } from '../registry-client.ts';
import { openAcl } from './acl.ts';
import { registryError } from './errors.ts';
import { checkPath } from './paths.ts';

export type WriteOp =
  | { op: 'create'; path: string; data: Buffer; mode: CreateMode; acl: readonly Acl[]; ttlMs: number }
  | { op: 'delete'; path: string; version: number }
  | { op: 'set'; path: string; data: Buffer; version: number }
  | { op: 'check'; path: string; version: number };

/** The server's default limit (jute.maxbuffer) for a whole request; it drops the connection of whoever sends more. */
export const maxRequestBytes = 0xf_ffff;

/** ZooKeeper keeps a TTL in 40 bits. */
const maxTtlMs = 2 ** 40 - 1;

/**
 * `defaultAcl` is for nodes that are created without one of their own (there is no inheritance in ZooKeeper). Throws
 * REGISTRY_BAD_ARGUMENTS or REGISTRY_TOO_LARGE for what no server would take.
 */
export function checkedOp(op: MultiOp, defaultAcl: readonly Acl[] = openAcl): WriteOp {
  const { path } = op;
  switch (op.op) {
    case 'create': {
      const mode = op.mode ?? 'persistent';
      checkPath(path, { sequential: mode.includes('sequential') });
      return {
        op: 'create',
        path,
        data: bytes(op.data, path),
        mode,
        acl: op.acl ?? defaultAcl,
        ttlMs: ttl(mode, op.ttlMs),
      };
    }
    case 'delete':
      checkPath(path);
      if (path === '/') throw registryError('REGISTRY_BAD_ARGUMENTS', 'the root cannot be deleted');
      return { op: 'delete', path, version: op.version ?? -1 };
    case 'set':
      checkPath(path);
      return { op: 'set', path, data: bytes(op.data, path), version: op.version ?? -1 };
    case 'check':
      checkPath(path);
      return { op: 'check', path, version: op.version };
    default:
      throw registryError('REGISTRY_BAD_ARGUMENTS', `unknown operation ${JSON.stringify(op)}`);
  }
}

/** The contract's form of one result of a multi: servers send no stat for a node created in one. */
export function multiResult(op: MultiOp['op'], path: string, stat: MultiResult['stat']): MultiResult {
  if (op === 'create') return { op, path };
  return op === 'set' ? { op, stat } : { op };
}

function bytes(data: Uint8Array | string | undefined, path: string): Buffer {
  // Copied, so that the caller may reuse its buffer while the request waits.
  const buffer = Buffer.from(data ?? '');
  if (buffer.length > maxRequestBytes) throw registryError('REGISTRY_TOO_LARGE', path, { details: { path } });
  return buffer;
}

function ttl(mode: CreateMode, ttlMs: number | undefined): number {
  const wanted = mode.endsWith('ttl');
  const legal = wanted
    ? ttlMs !== undefined && Number.isInteger(ttlMs) && ttlMs > 0 && ttlMs <= maxTtlMs
    : ttlMs === undefined;
  if (!legal) throw registryError('REGISTRY_BAD_ARGUMENTS', `a TTL of ${ttlMs} ms with mode ${mode}`);
  return ttlMs ?? 0;
}
