/** What can go wrong at the registry, as McpErrors, and the server's numeric codes behind them. */
import { McpError } from '../../specs/errors.ts';

export type RegistryErrorCode =
  | 'REGISTRY_NO_NODE'
  | 'REGISTRY_NODE_EXISTS'
  | 'REGISTRY_BAD_VERSION'
  | 'REGISTRY_NOT_EMPTY'
  | 'REGISTRY_NO_AUTH'
  | 'REGISTRY_AUTH_FAILED'
  | 'REGISTRY_INVALID_ACL'
  | 'REGISTRY_NO_CHILDREN_FOR_EPHEMERALS'
  | 'REGISTRY_BAD_ARGUMENTS'
  | 'REGISTRY_CONNECTION_LOSS'
  | 'REGISTRY_SESSION_EXPIRED'
  | 'REGISTRY_CLOSED'
  | 'REGISTRY_QUEUE_FULL'
  | 'REGISTRY_TOO_LARGE'
  | 'REGISTRY_UNIMPLEMENTED'
  | 'REGISTRY_PROTOCOL';

const known: Record<RegistryErrorCode, { message: string; hint?: string; retryable?: boolean }> = {
  REGISTRY_NO_NODE: { message: 'no such node' },
  REGISTRY_NODE_EXISTS: { message: 'the node exists already' },
  REGISTRY_BAD_VERSION: { message: 'the node has another version', hint: 'Read the node again, then decide again.' },
  REGISTRY_NOT_EMPTY: { message: 'the node has children', hint: 'Delete its children first.' },
  REGISTRY_NO_AUTH: { message: 'not allowed by the node’s ACL', hint: 'Check the registry credentials.' },
  REGISTRY_AUTH_FAILED: { message: 'the registry refused the credentials', hint: 'Check the scheme and credentials.' },
  REGISTRY_INVALID_ACL: { message: 'the registry refused the ACL' },
  REGISTRY_NO_CHILDREN_FOR_EPHEMERALS: { message: 'ephemeral nodes cannot have children' },
  REGISTRY_BAD_ARGUMENTS: { message: 'the registry refused the arguments' },
  REGISTRY_CONNECTION_LOSS: {
    message: 'the connection broke before the answer came: the outcome is unknown',
    hint: 'Look for the effect before trying again.',
    retryable: true,
  },
  REGISTRY_SESSION_EXPIRED: { message: 'the registry session has expired', hint: 'Open a new session.' },
  REGISTRY_CLOSED: { message: 'the registry client is closed' },
  REGISTRY_QUEUE_FULL: {
    message: 'too many requests wait for the registry; this one was not sent',
    hint: 'Wait until the registry answers again.',
    retryable: true,
  },
  REGISTRY_TOO_LARGE: { message: 'too large for the registry', hint: 'Keep a node and a list of names under 1 MB.' },
  REGISTRY_UNIMPLEMENTED: {
    message: 'the registry server does not know this operation',
    hint: 'ZooKeeper 3.6 or newer is needed; TTL nodes need extendedTypesEnabled on the server.',
  },
  REGISTRY_PROTOCOL: { message: 'the registry server sent something that is not ZooKeeper’s protocol' },
};

/** Makes the error of that code; `about` (a path, a cause in words) is added to its message. */
export function registryError(
  code: RegistryErrorCode,
  about = '',
  options: { cause?: unknown; details?: Record<string, unknown>; hint?: string } = {},
): McpError {
  const { message, hint, retryable } = known[code];
  return new McpError(code, about === '' ? message : `${about}: ${message}`, { hint, retryable, ...options });
}

const serverCodes = new Map<number, RegistryErrorCode>([
  [-2, 'REGISTRY_CONNECTION_LOSS'],
  [-4, 'REGISTRY_CONNECTION_LOSS'],
  [-5, 'REGISTRY_BAD_ARGUMENTS'],
  [-6, 'REGISTRY_UNIMPLEMENTED'],
  [-7, 'REGISTRY_CONNECTION_LOSS'],
  [-8, 'REGISTRY_BAD_ARGUMENTS'],
  [-101, 'REGISTRY_NO_NODE'],
  [-102, 'REGISTRY_NO_AUTH'],
  [-103, 'REGISTRY_BAD_VERSION'],
  [-108, 'REGISTRY_NO_CHILDREN_FOR_EPHEMERALS'],
  [-110, 'REGISTRY_NODE_EXISTS'],
  [-111, 'REGISTRY_NOT_EMPTY'],
  [-112, 'REGISTRY_SESSION_EXPIRED'],
  [-114, 'REGISTRY_INVALID_ACL'],
  [-115, 'REGISTRY_AUTH_FAILED'],
  // The session moved to another server: this connection is no longer its own.
  [-118, 'REGISTRY_CONNECTION_LOSS'],
  // The connection is read-only or throttled: not done, may be later.
  [-119, 'REGISTRY_CONNECTION_LOSS'],
  [-122, 'REGISTRY_CONNECTION_LOSS'],
  [-124, 'REGISTRY_AUTH_FAILED'],
  [-127, 'REGISTRY_CONNECTION_LOSS'],
]);

/** The error for a reply's numeric code (never 0), which is kept in `details.serverCode`. Unknown ones are refusals. */
export function serverError(serverCode: number, path: string, details: Record<string, unknown> = {}): McpError {
  const code = serverCodes.get(serverCode) ?? 'REGISTRY_BAD_ARGUMENTS';
  return registryError(code, path, { details: { path, serverCode, ...details } });
}

/** For logs and for who waits for a first connection: why this one ended, or which servers could not be reached. */
export function brokenConnection(server: string, cause: unknown): McpError {
  const why = cause instanceof Error ? cause.message : 'the connection ended';
  return new McpError('REGISTRY_CONNECTION_LOSS', `registry server ${server}: ${why}`, {
    cause,
    retryable: true,
    hint: 'Is ZooKeeper running there, and reachable?',
    details: { server },
  });
}
