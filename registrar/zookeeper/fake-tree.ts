/**
 * The fake registry's tree of nodes: ZooKeeper's rules for creating, changing and deleting, without sessions, watches or
 * time of its own. A transaction applies whole or leaves no trace.
 */
import type { Acl, Permission, Stat, WatchEvent, Zxid } from '../registry-client.ts';
import { openAcl, permissionBits } from './acl.ts';
import type { RegistryErrorCode } from './errors.ts';
import { registryError } from './errors.ts';
import type { WriteOp } from './operations.ts';
import { nameOf, parentOf } from './paths.ts';

export type Identity = Pick<Acl, 'scheme' | 'id'>;

/** Who asks, when, and under which transaction number. */
export interface TreeContext {
  session: string;
  identities: readonly Identity[];
  zxid: Zxid;
  now: number;
}

export type TreeOp = WriteOp | { op: 'acl'; path: string; acl: readonly Acl[]; version: number };

export interface TreeResult {
  path: string;
  stat?: Stat;
}

interface Node {
  data: Buffer;
  acl: Acl[];
  owner: string | null;
  container: boolean;
  ttlMs: number;
  children: Set<string>;
  /** Children ever created: the next sequence number. */
  creates: number;
  stat: Omit<Stat, 'ephemeralOwner' | 'dataLength' | 'numChildren' | 'cversion'>;
}

export class FakeTree {
  readonly #nodes = new Map<string, Node>([['/', newNode({ zxid: 0, now: 0 })]]);

  /** Applies all ops or none; the events it caused, in order. Throws the first failing op's error with `{index, path}`. */
  apply(ops: readonly TreeOp[], context: TreeContext): { results: TreeResult[]; events: WatchEvent[] } {
    const undo: (() => void)[] = [];
    const events: WatchEvent[] = [];
    const results: TreeResult[] = [];
    for (const [index, op] of ops.entries()) {
      try {
        results.push(this.#applyOne(op, context, undo, events));
      } catch (error) {
        for (const step of undo.reverse()) step();
        if (error instanceof Failure) {
          throw registryError(error.code, op.path, { details: { path: op.path, index } });
        }
        throw error;
      }
    }
    return { results, events };
  }

  stat(path: string): Stat | null {
    const node = this.#nodes.get(path);
    return node ? statOf(node) : null;
  }

  get(path: string, identities: readonly Identity[]): { data: Buffer; stat: Stat } {
    const node = this.#readable(path, 'read', identities);
    return { data: Buffer.from(node.data), stat: statOf(node) };
  }

  children(path: string, identities: readonly Identity[]): { children: string[]; stat: Stat } {
    const node = this.#readable(path, 'read', identities);
    return { children: [...node.children].sort(), stat: statOf(node) };
  }

  getAcl(path: string, identities: readonly Identity[]): { acl: Acl[]; stat: Stat } {
    const node = this.#nodes.get(path);
    if (!node) throw registryError('REGISTRY_NO_NODE', path, { details: { path } });
    const admin = allows(node.acl, 'admin', identities);
    if (!admin && !allows(node.acl, 'read', identities)) {
      throw registryError('REGISTRY_NO_AUTH', path, { details: { path } });
    }
    const acl = node.acl.map((entry) => ({ ...entry, id: admin ? entry.id : maskedId(entry) }));
    return { acl, stat: statOf(node) };
  }

  /** Paths of the session's ephemeral nodes. */
  ephemeralsOf(session: string): string[] {
    return [...this.#nodes].filter(([, node]) => node.owner === session).map(([path]) => path);
  }

  /** Paths the server's cleaner would delete now: containers that lost their last child, TTL nodes past their time. */
  reapable(now: number): string[] {
    return [...this.#nodes]
      .filter(([, node]) => node.children.size === 0)
      .filter(
        ([, node]) => (node.container && node.creates > 0) || (node.ttlMs > 0 && now - node.stat.mtime > node.ttlMs),
      )
      .map(([path]) => path);
  }

  #readable(path: string, permission: Permission, identities: readonly Identity[]): Node {
    const node = this.#nodes.get(path);
    if (!node) throw registryError('REGISTRY_NO_NODE', path, { details: { path } });
    if (!allows(node.acl, permission, identities)) {
      throw registryError('REGISTRY_NO_AUTH', path, { details: { path } });
    }
    return node;
  }

  #applyOne(op: TreeOp, context: TreeContext, undo: (() => void)[], events: WatchEvent[]): TreeResult {
    switch (op.op) {
      case 'create':
        return this.#create(op, context, undo, events);
      case 'delete':
        return this.#delete(op, context, undo, events);
      case 'check':
        checkVersion(this.#require(op.path, 'read', context).stat.version, op.version);
        return { path: op.path };
      case 'set':
        return this.#change(op.path, 'write', context, undo, (node) => {
          checkVersion(node.stat.version, op.version);
          events.push({ type: 'changed', path: op.path });
          const stat = { ...node.stat, version: node.stat.version + 1, mzxid: context.zxid, mtime: context.now };
          return { ...node, data: op.data, stat };
        });
      case 'acl':
        return this.#change(op.path, 'admin', context, undo, (node) => {
          checkVersion(node.stat.aversion, op.version);
          const acl = effectiveAcl(op.acl, context.identities);
          return { ...node, acl, stat: { ...node.stat, aversion: node.stat.aversion + 1 } };
        });
    }
  }

  #create(op: TreeOp & { op: 'create' }, context: TreeContext, undo: (() => void)[], events: WatchEvent[]): TreeResult {
    if (op.path === '/' && !op.mode.includes('sequential')) throw new Failure('REGISTRY_NODE_EXISTS');
    const parentPath = parentOf(op.path);
    const parent = this.#require(parentPath, 'create', context);
    const acl = effectiveAcl(op.acl, context.identities);
    const path = op.mode.includes('sequential') ? op.path + String(parent.creates).padStart(10, '0') : op.path;
    if (this.#nodes.has(path)) throw new Failure('REGISTRY_NODE_EXISTS');
    if (parent.owner !== null) throw new Failure('REGISTRY_NO_CHILDREN_FOR_EPHEMERALS');

    const node = newNode({ zxid: context.zxid, now: context.now });
    node.data = op.data;
    node.acl = acl;
    node.owner = op.mode.startsWith('ephemeral') ? context.session : null;
    node.container = op.mode === 'container';
    node.ttlMs = op.ttlMs;
    const { pzxid } = parent.stat;
    this.#nodes.set(path, node);
    parent.children.add(nameOf(path));
    parent.creates += 1;
    parent.stat.pzxid = context.zxid;
    undo.push(() => {
      this.#nodes.delete(path);
      parent.children.delete(nameOf(path));
      parent.creates -= 1;
      parent.stat.pzxid = pzxid;
    });
    events.push({ type: 'created', path }, { type: 'children', path: parentPath });
    return { path, stat: statOf(node) };
  }

  #delete(op: TreeOp & { op: 'delete' }, context: TreeContext, undo: (() => void)[], events: WatchEvent[]): TreeResult {
    if (op.path === '/') throw new Failure('REGISTRY_BAD_ARGUMENTS');
    const parentPath = parentOf(op.path);
    const parent = this.#require(parentPath, 'delete', context);
    const node = this.#nodes.get(op.path);
    if (!node) throw new Failure('REGISTRY_NO_NODE');
    checkVersion(node.stat.version, op.version);
    if (node.children.size > 0) throw new Failure('REGISTRY_NOT_EMPTY');

    const { pzxid } = parent.stat;
    this.#nodes.delete(op.path);
    parent.children.delete(nameOf(op.path));
    parent.stat.pzxid = context.zxid;
    undo.push(() => {
      this.#nodes.set(op.path, node);
      parent.children.add(nameOf(op.path));
      parent.stat.pzxid = pzxid;
    });
    events.push({ type: 'deleted', path: op.path }, { type: 'children', path: parentPath });
    return { path: op.path };
  }

  /** Replaces a node's content; its children stay the same object, so that later undo steps still reach it. */
  #change(
    path: string,
    permission: Permission,
    context: TreeContext,
    undo: (() => void)[],
    change: (node: Node) => Node,
  ): TreeResult {
    const node = this.#require(path, permission, context);
    const before = { ...node };
    Object.assign(node, change(node));
    undo.push(() => Object.assign(node, before));
    return { path, stat: statOf(node) };
  }

  #require(path: string, permission: Permission, context: TreeContext): Node {
    const node = this.#nodes.get(path);
    if (!node) throw new Failure('REGISTRY_NO_NODE');
    if (!allows(node.acl, permission, context.identities)) throw new Failure('REGISTRY_NO_AUTH');
    return node;
  }

  /** Deletes without asking for permission, as the server does for dead sessions and its cleaner. */
  remove(path: string, zxid: Zxid): WatchEvent[] {
    const parent = this.#nodes.get(parentOf(path));
    if (!parent || !this.#nodes.delete(path)) return [];
    parent.children.delete(nameOf(path));
    parent.stat.pzxid = zxid;
    return [
      { type: 'deleted', path },
      { type: 'children', path: parentOf(path) },
    ];
  }
}

/** Carries a code up to `apply`, which knows the op's index. */
class Failure extends Error {
  readonly code: RegistryErrorCode;
  constructor(code: RegistryErrorCode) {
    super(code);
    this.code = code;
  }
}

function newNode({ zxid, now }: { zxid: Zxid; now: number }): Node {
  return {
    data: Buffer.alloc(0),
    acl: openAcl,
    owner: null,
    container: false,
    ttlMs: 0,
    children: new Set(),
    creates: 0,
    stat: { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: now, mtime: now, version: 0, aversion: 0 },
  };
}

function statOf(node: Node): Stat {
  const numChildren = node.children.size;
  return {
    ...node.stat,
    // What the server shows: creations plus deletions of children.
    cversion: node.creates * 2 - numChildren,
    ephemeralOwner: node.owner,
    dataLength: node.data.length,
    numChildren,
  };
}

function checkVersion(actual: number, expected: number): void {
  if (expected !== -1 && expected !== actual) throw new Failure('REGISTRY_BAD_VERSION');
}

function allows(acl: readonly Acl[], permission: Permission, identities: readonly Identity[]): boolean {
  return acl.some(
    (entry) =>
      (permissionBits(entry.permissions) & permissionBits([permission])) !== 0 &&
      (entry.scheme === 'world' || identities.some(({ scheme, id }) => scheme === entry.scheme && id === entry.id)),
  );
}

/** Checks an ACL as the server does, and replaces `auth` by the identities of who asks. */
function effectiveAcl(acl: readonly Acl[], identities: readonly Identity[]): Acl[] {
  const result = acl.flatMap((entry): Acl[] => {
    if (entry.scheme === 'auth') {
      const own = identities.filter(({ scheme }) => scheme !== 'ip');
      if (own.length === 0) throw new Failure('REGISTRY_INVALID_ACL');
      return own.map((identity) => ({ ...identity, permissions: entry.permissions }));
    }
    if (entry.scheme === 'world' ? entry.id !== 'anyone' : !validId(entry)) throw new Failure('REGISTRY_INVALID_ACL');
    return [{ ...entry }];
  });
  if (result.length === 0) throw new Failure('REGISTRY_INVALID_ACL');
  return result;
}

function validId({ scheme, id }: Acl): boolean {
  if (scheme === 'digest') return id.split(':').length === 2;
  return scheme === 'x509' || (scheme === 'ip' && /^[0-9a-f.:]+(\/\d+)?$/i.test(id));
}

function maskedId({ scheme, id }: Acl): string {
  return scheme === 'digest' ? id.replace(/:.*/, ':x') : id;
}
