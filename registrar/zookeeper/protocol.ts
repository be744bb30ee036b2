/** ZooKeeper's requests and replies as bytes. Numbers as in the server's zookeeper.jute and ZooDefs. */
import type { McpError } from '../../specs/errors.ts';
import type { Acl, CreateMode, MultiResult, NodeRead, Stat, WatchEvent, Zxid } from '../registry-client.ts';
import { permissionBits, permissionsOf } from './acl.ts';
import { registryError, serverError } from './errors.ts';
import { JuteReader, JuteWriter } from './jute.ts';
import type { WriteOp } from './operations.ts';
import { multiResult } from './operations.ts';
import type { PersistentMode } from './watches.ts';

export const opcodes = {
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  setWatches2: 105,
  addWatch: 106,
  closeSession: -11,
} as const;

/** Reserved request numbers. */
export const xids = { event: -1, ping: -2, auth: -4, setWatches: -8 } as const;

export const noNode = -101;
export const authFailed = -115;

/** Length, xid and opcode, filled in by `seal`. */
const headerBytes = 12;

/** A writer for a request's body with room for its header. */
export function requestBody(): JuteWriter {
  return new JuteWriter(headerBytes);
}

/** The frame to send: the body's bytes with the header filled in. */
export function seal(body: JuteWriter, xid: number, opcode: number): Buffer {
  const frame = body.bytes();
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(xid, 4);
  frame.writeInt32BE(opcode, 8);
  return frame;
}

const createFlags: Record<CreateMode, number> = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
  container: 4,
  'persistent-ttl': 5,
  'persistent-sequential-ttl': 6,
};

export function writeOpcode(op: WriteOp): number {
  switch (op.op) {
    case 'create':
      if (op.mode === 'container') return opcodes.createContainer;
      return op.mode.endsWith('ttl') ? opcodes.createTtl : opcodes.create2;
    case 'delete':
      return opcodes.delete;
    case 'set':
      return opcodes.setData;
    case 'check':
      return opcodes.check;
  }
}

/** `op` with its server path. */
export function writeOpBody(writer: JuteWriter, op: WriteOp): JuteWriter {
  writer.string(op.path);
  switch (op.op) {
    case 'create':
      writer.buffer(op.data);
      writeAcl(writer, op.acl).int(createFlags[op.mode]);
      return op.mode.endsWith('ttl') ? writer.long(op.ttlMs) : writer;
    case 'set':
      return writer.buffer(op.data).int(op.version);
    case 'delete':
    case 'check':
      return writer.int(op.version);
  }
}

export function writeMulti(writer: JuteWriter, ops: readonly WriteOp[]): JuteWriter {
  for (const op of ops) writeOpBody(writer.int(writeOpcode(op)).bool(false).int(-1), op);
  return writer.int(-1).bool(true).int(-1);
}

/** `ops` and the paths in errors are the caller's. Throws the failing op's error. */
export function readMulti(
  reader: JuteReader,
  ops: readonly { op: WriteOp['op']; path: string }[],
  toClient: (path: string) => string,
): MultiResult[] {
  const results: MultiResult[] = [];
  let failure: { index: number; code: number } | null = null;
  for (let index = 0; ; index++) {
    const type = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) break;
    const op = ops[index];
    if (!op) throw registryError('REGISTRY_PROTOCOL', `more results than the ${ops.length} operations`);
    if (type === -1) {
      const code = reader.int();
      if (code !== 0) failure ??= { index, code };
      continue;
    }
    const path = op.op === 'create' ? toClient(reader.string()) : op.path;
    // A plain create's result has only the path, a container's or TTL node's has a stat too.
    const stat = type === opcodes.create2 || type === opcodes.setData ? readStat(reader) : undefined;
    results.push(multiResult(op.op, path, stat));
  }
  if (failure) throw serverError(failure.code, ops[failure.index]?.path ?? '', { index: failure.index });
  if (results.length !== ops.length) throw registryError('REGISTRY_PROTOCOL', 'a multi with missing results');
  return results;
}

/** `paths` as the server has them. */
export function writeGets(writer: JuteWriter, paths: readonly string[]): JuteWriter {
  for (const path of paths) writer.int(opcodes.getData).bool(false).int(-1).string(path).bool(false);
  return writer.int(-1).bool(true).int(-1);
}

/** `paths`, for the errors, are the caller's. */
export function readGets(reader: JuteReader, paths: readonly string[]): (NodeRead | McpError)[] {
  const found: (NodeRead | McpError)[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    const code = reader.int();
    if (done) break;
    const path = paths[found.length];
    if (path === undefined) throw registryError('REGISTRY_PROTOCOL', `more results than the ${paths.length} reads`);
    // An error's code stands in its header, and once more as its body.
    if (type === -1) found.push(serverError(reader.int() || code, path));
    else found.push({ data: reader.buffer(), stat: readStat(reader) });
  }
  if (found.length !== paths.length) throw registryError('REGISTRY_PROTOCOL', 'reads with missing results');
  return found;
}

export function writeAcl(writer: JuteWriter, acl: readonly Acl[]): JuteWriter {
  return writer.vector(acl, (to, { permissions, scheme, id }) => {
    to.int(permissionBits(permissions)).string(scheme).string(id);
  });
}

export function readAcl(reader: JuteReader): Acl[] {
  return reader.vector((from) => {
    const permissions = permissionsOf(from.int());
    return { scheme: from.string(), id: from.string(), permissions };
  }, 12);
}

export function readStat(reader: JuteReader): Stat {
  const czxid = reader.long();
  const mzxid = reader.long();
  const ctime = reader.long();
  const mtime = reader.long();
  const version = reader.int();
  const cversion = reader.int();
  const aversion = reader.int();
  const ephemeralOwner = ownerOf(reader.bigLong());
  const dataLength = reader.int();
  const numChildren = reader.int();
  const pzxid = reader.long();
  return {
    czxid,
    mzxid,
    pzxid,
    ctime,
    mtime,
    version,
    cversion,
    aversion,
    ephemeralOwner,
    dataLength,
    numChildren,
  };
}

/** `0x` hex of an unsigned session id. */
export function sessionHex(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}

/** Container and TTL nodes carry a marker where ephemeral nodes carry their session. */
function ownerOf(owner: bigint): string | null {
  const bits = BigInt.asUintN(64, owner);
  const isContainer = bits === 0x8000_0000_0000_0000n;
  const isTtl = bits >> 56n === 0xffn;
  return bits === 0n || isContainer || isTtl ? null : sessionHex(owner);
}

export interface ReplyHeader {
  xid: number;
  zxid: Zxid;
  error: number;
}

export function readReplyHeader(reader: JuteReader): ReplyHeader {
  return { xid: reader.int(), zxid: reader.long(), error: reader.int() };
}

const eventTypes: Record<number, WatchEvent['type']> = { 1: 'created', 2: 'deleted', 3: 'changed', 4: 'children' };

/** The event with its server path; null for kinds that concern no node. */
export function readEvent(reader: JuteReader): WatchEvent | null {
  const type = eventTypes[reader.int()];
  reader.int();
  const path = reader.string();
  return type ? { type, path } : null;
}

export interface SessionCredentials {
  id: bigint;
  password: Buffer;
}

export function connectFrame(lastZxid: Zxid, timeoutMs: number, session: SessionCredentials): Buffer {
  const writer = new JuteWriter(4);
  writer.int(0).long(lastZxid).int(timeoutMs).long(session.id).buffer(session.password).bool(false);
  const frame = writer.bytes();
  frame.writeInt32BE(frame.length - 4, 0);
  return frame;
}

/** `timeoutMs` of 0 or less: the server does not know the session any more. */
export function readConnectReply(frame: Buffer): SessionCredentials & { timeoutMs: number } {
  const reader = new JuteReader(frame);
  reader.int();
  const timeoutMs = reader.int();
  return { timeoutMs, id: reader.bigLong(), password: reader.buffer() };
}

export function pingFrame(): Buffer {
  return seal(requestBody(), xids.ping, opcodes.ping);
}

export function authFrame(scheme: string, auth: Uint8Array): Buffer {
  return seal(requestBody().int(0).string(scheme).buffer(auth), xids.auth, opcodes.auth);
}

/** Paths (the server's) by the kind of watch. */
export interface WatchSet {
  data: string[];
  exists: string[];
  children: string[];
  persistent: string[];
  'persistent-recursive': string[];
}

/** Without persistent watches the older request is sent, which every server knows. */
export function setWatchesFrame(lastZxid: Zxid, set: WatchSet): Buffer {
  const body = requestBody().long(lastZxid).strings(set.data).strings(set.exists).strings(set.children);
  if (set.persistent.length + set['persistent-recursive'].length === 0) {
    return seal(body, xids.setWatches, opcodes.setWatches);
  }
  body.strings(set.persistent).strings(set['persistent-recursive']);
  return seal(body, xids.setWatches, opcodes.setWatches2);
}

export function addWatchBody(path: string, mode: PersistentMode): JuteWriter {
  return requestBody()
    .string(path)
    .int(mode === 'persistent' ? 0 : 1);
}

/** Removes whatever watches this session has at the path. */
export function removeWatchesBody(path: string): JuteWriter {
  const any = 3;
  return requestBody().string(path).int(any);
}
