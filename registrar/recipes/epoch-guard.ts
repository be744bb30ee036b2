import { isMcpError, McpError } from '../../specs/errors.ts';
import { paths } from '../layout.ts';
import type { CallOptions, MultiOp, MultiResult, RegistryClient } from '../registry-client.ts';

/** The operations, led by a check that /epoch is still at `epoch`: a deposed leader's write fails as a whole (P8). */
export function guarded(epoch: number, ops: readonly MultiOp[]): MultiOp[] {
  return [{ op: 'check', path: paths.epoch, version: epoch }, ...ops];
}

/** What the registry says when a check in a multi did not hold. */
const conflicts = ['REGISTRY_BAD_VERSION', 'REGISTRY_NO_NODE', 'REGISTRY_NODE_EXISTS', 'REGISTRY_NOT_EMPTY'];

/**
 * Does `ops` in one multi under `epoch`; gives their results in order. Rejects with
 * - EPOCH_LOST: another leads; nothing was done, and nothing more may be tried under this epoch;
 * - WRITE_CONFLICT: something was not as observed (`details`: `index` in ops, `path`); nothing was done; observe again;
 * - WRITE_UNKNOWN (retryable): the connection broke; it may have been done: look before trying again;
 * - any other error of the registry client as it is.
 */
export async function commit(
  client: RegistryClient,
  epoch: number,
  ops: readonly MultiOp[],
  options: CallOptions = {},
): Promise<MultiResult[]> {
  try {
    const results = await client.multi(guarded(epoch, ops), options);
    return results.slice(1);
  } catch (error) {
    throw explainCommit(error, epoch);
  }
}

/** What a failed guarded multi means to its caller; pure. */
export function explainCommit(error: unknown, epoch: number): unknown {
  if (isMcpError(error, 'REGISTRY_CONNECTION_LOSS')) {
    return new McpError(
      'WRITE_UNKNOWN',
      'the connection broke before the registry answered; the write may have been done',
      {
        cause: error,
        retryable: true,
        hint: 'Look whether it was done before trying again.',
      },
    );
  }
  if (!isMcpError(error, ...conflicts)) return error;
  const index = typeof error.details.index === 'number' ? error.details.index : -1;
  if (index === 0) {
    return new McpError('EPOCH_LOST', `epoch ${epoch} is over: another controller leads`, { cause: error });
  }
  const path = typeof error.details.path === 'string' ? error.details.path : 'a node';
  return new McpError('WRITE_CONFLICT', `${path} is not as it was observed: ${error.message}`, {
    cause: error,
    hint: 'Observe again and plan anew.',
    details: { index: index - 1, path, registryCode: error.code },
  });
}
