/**
 * The port to the registry: what every room needs of ZooKeeper. Implemented by registrar/zookeeper/client.ts (the wire
 * client) and registrar/zookeeper/fake.ts (in memory); test/conformance/registry-client.ts holds both to one contract.
 *
 * Contract in short:
 * - Every rejection is an McpError. CONNECTION_LOSS means *unknown*: the write may have been done.
 *   Codes: REGISTRY_NO_NODE, REGISTRY_NODE_EXISTS, REGISTRY_BAD_VERSION, REGISTRY_NOT_EMPTY, REGISTRY_NO_AUTH,
 *   REGISTRY_AUTH_FAILED, REGISTRY_INVALID_ACL, REGISTRY_NO_CHILDREN_FOR_EPHEMERALS, REGISTRY_BAD_ARGUMENTS,
 *   REGISTRY_CONNECTION_LOSS (retryable, outcome unknown), REGISTRY_SESSION_EXPIRED, REGISTRY_CLOSED,
 *   REGISTRY_QUEUE_FULL (retryable, not sent), REGISTRY_TOO_LARGE, REGISTRY_UNIMPLEMENTED, REGISTRY_PROTOCOL.
 *   An aborted call rejects with the signal's reason.
 * - Requests made while `suspended` or `connecting` wait in a bounded queue for a connection (until their signal aborts);
 *   requests already on the wire when the connection breaks reject with REGISTRY_CONNECTION_LOSS.
 * - After `expired` the client is dead for good: everything rejects with REGISTRY_SESSION_EXPIRED. Make a new one.
 * - Responses and watch events arrive in the server's order: an event for a change comes before any read that shows it.
 */
import type { McpError } from '../specs/errors.ts';

export type SessionState = 'connecting' | 'connected' | 'suspended' | 'expired' | 'auth-failed' | 'closed';

export type CreateMode =
  | 'persistent'
  | 'persistent-sequential'
  | 'ephemeral'
  | 'ephemeral-sequential'
  | 'container'
  | 'persistent-ttl'
  | 'persistent-sequential-ttl';

/** A zxid as a JavaScript number: exact until the ensemble's epoch passes 2^21 leader elections. */
export type Zxid = number;

export interface Stat {
  czxid: Zxid;
  mzxid: Zxid;
  pzxid: Zxid;
  /** ms since the Unix epoch, server's clock. */
  ctime: number;
  mtime: number;
  version: number;
  cversion: number;
  aversion: number;
  /** Session id as `0x` hex, or null for a node that is not ephemeral. */
  ephemeralOwner: string | null;
  dataLength: number;
  numChildren: number;
}

export type Permission = 'read' | 'write' | 'create' | 'delete' | 'admin';
export interface Acl {
  scheme: string;
  id: string;
  permissions: Permission[];
}

type WatchEventType = 'created' | 'deleted' | 'changed' | 'children';
export interface WatchEvent {
  type: WatchEventType;
  path: string;
}
/**
 * `event`: something changed at the path; look again. `resync`: the watch was re-established after a reconnect and events
 * may have been missed: re-read everything. `lost`: the session is over, no event will follow.
 */
export type WatchNotice = ({ kind: 'event' } & WatchEvent) | { kind: 'resync' } | { kind: 'lost' };

export interface WatchHandle {
  /** Removes the watch; resolves also when the connection is gone. */
  close(): Promise<void>;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** One-shot watch, called at most once; lost silently if the session ends. Survives reconnects. */
  watch?: (event: WatchEvent) => void;
}

export type MultiOp =
  | { op: 'create'; path: string; data?: Uint8Array | string; mode?: CreateMode; acl?: Acl[]; ttlMs?: number }
  | { op: 'delete'; path: string; version?: number }
  | { op: 'set'; path: string; data: Uint8Array | string; version?: number }
  | { op: 'check'; path: string; version: number };

/** One result an op, in order; `path` for create, `stat` for set (servers send none for a create in a multi). */
export interface MultiResult {
  op: MultiOp['op'];
  path?: string;
  stat?: Stat;
}

export interface NodeRead {
  data: Buffer;
  stat: Stat;
}

export interface RegistryClient {
  readonly state: SessionState;
  /** `0x` hex, or null before the first connection. */
  readonly sessionId: string | null;
  /** The highest zxid seen in any reply. */
  readonly lastZxid: Zxid;

  create(
    path: string,
    data?: Uint8Array | string,
    options?: CallOptions & { mode?: CreateMode; acl?: Acl[]; ttlMs?: number },
  ): Promise<{ path: string; stat: Stat; zxid: Zxid }>;
  /** version -1 (the default): any. */
  delete(path: string, version?: number, options?: CallOptions): Promise<void>;
  /** Null where there is no node (the watch is set then too). */
  exists(path: string, options?: ReadOptions): Promise<Stat | null>;
  get(path: string, options?: ReadOptions): Promise<{ data: Buffer; stat: Stat; zxid: Zxid }>;
  /**
   * What `get` gives for each of the paths, in one request; what one of them is refused with stands in its place. They need not be
   * of one moment, but none is older than the request, and the reply comes after the events of all changes up to its zxid.
   */
  getEach(paths: readonly string[], options?: CallOptions): Promise<{ found: (NodeRead | McpError)[]; zxid: Zxid }>;
  set(path: string, data: Uint8Array | string, version?: number, options?: CallOptions): Promise<Stat>;
  /** Names, not paths, sorted. */
  children(path: string, options?: ReadOptions): Promise<{ children: string[]; stat: Stat; zxid: Zxid }>;
  /** After it resolves, reads see at least all that was committed when it was called. */
  sync(path: string, options?: CallOptions): Promise<void>;
  /** All or nothing. On failure rejects with the failing op's error; `details` has `{index, path}` of it. */
  multi(ops: MultiOp[], options?: CallOptions): Promise<MultiResult[]>;
  getAcl(path: string, options?: CallOptions): Promise<{ acl: Acl[]; stat: Stat }>;
  setAcl(path: string, acl: Acl[], aversion?: number, options?: CallOptions): Promise<Stat>;
  /** Kept and sent again after each reconnect. Never logged. */
  addAuth(scheme: string, auth: Uint8Array | string): Promise<void>;
  /** Re-established after reconnects, then a `resync` notice is given. */
  addWatch(
    path: string,
    mode: 'persistent' | 'persistent-recursive',
    listener: (notice: WatchNotice) => void,
    options?: CallOptions,
  ): Promise<WatchHandle>;
  /** Called on every change of state; returns the unsubscriber. */
  onState(listener: (state: SessionState) => void): () => void;
  /** Ends the session on the server (its ephemerals go at once). Idempotent. */
  close(): Promise<void>;
}

/** Makes a client with a new session. Resolves when connected; rejects when the signal aborts or nothing answers in time. */
export type ConnectRegistry = (options?: { signal?: AbortSignal }) => Promise<RegistryClient>;
