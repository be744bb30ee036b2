/** One client of the fake registry. Requests are applied and replies delivered in order, each in a microtask of its own. */
import { isMcpError, type McpError } from '../../specs/errors.ts';
import type {
  Acl,
  CallOptions,
  CreateMode,
  MultiOp,
  MultiResult,
  NodeRead,
  ReadOptions,
  RegistryClient,
  SessionState,
  Stat,
  WatchEvent,
  WatchHandle,
  WatchNotice,
  Zxid,
} from '../registry-client.ts';
import { digestId } from './acl.ts';
import { registryError } from './errors.ts';
import type { FakeTree, Identity, TreeOp, TreeResult } from './fake-tree.ts';
import { checkedOp, multiResult } from './operations.ts';
import { checkPath } from './paths.ts';
import { PendingCall } from './pending-call.ts';
import { deadError, StateBox } from './session-state.ts';
import type { OneShotKind, PersistentMode } from './watches.ts';
import { WatchTable } from './watches.ts';

/** What a client needs of the registry it belongs to. */
export interface FakeServer {
  readonly tree: FakeTree;
  readonly zxid: Zxid;
  readonly up: boolean;
  write(ops: readonly TreeOp[], client: { sessionId: string; identities: readonly Identity[] }): TreeResult[];
  endSession(client: FakeClient): void;
}

interface Request {
  /** Runs at the server; the function it gives runs when the reply arrives. */
  run: () => () => void;
  fail: (error: unknown) => void;
}

type InboxItem = { event: WatchEvent } | { request: Request; receive: () => void; zxid: Zxid };

export class FakeClient implements RegistryClient {
  readonly sessionId: string;
  readonly identities: Identity[] = [{ scheme: 'ip', id: '127.0.0.1' }];
  readonly #server: FakeServer;
  readonly #queueLimit: number;
  readonly #state = new StateBox('connected');
  readonly #watches = new WatchTable();
  /** Not yet applied; on the wire while connected. */
  #requests: Request[] = [];
  /** Replies and events on their way here. */
  #inbox: InboxItem[] = [];
  #lastZxid: Zxid = 0;
  #sessionOver = false;
  #dropNext = false;

  constructor(server: FakeServer, sessionId: string, queueLimit: number) {
    this.#server = server;
    this.sessionId = sessionId;
    this.#queueLimit = queueLimit;
    this.#lastZxid = server.zxid;
  }

  get state(): SessionState {
    return this.#state.value;
  }

  get lastZxid(): Zxid {
    return this.#lastZxid;
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#state.listen(listener);
  }

  async create(
    path: string,
    data?: Uint8Array | string,
    options: CallOptions & { mode?: CreateMode; acl?: Acl[]; ttlMs?: number } = {},
  ): Promise<{ path: string; stat: Stat; zxid: Zxid }> {
    const { mode, acl, ttlMs } = options;
    const op = checkedOp({ op: 'create', path, data, mode, acl, ttlMs });
    return this.#call(options.signal, () => {
      const { path: created, stat } = this.#write(op);
      return { path: created, stat: required(stat), zxid: this.#server.zxid };
    });
  }

  async delete(path: string, version = -1, options: CallOptions = {}): Promise<void> {
    const op = checkedOp({ op: 'delete', path, version });
    return this.#call(options.signal, () => void this.#write(op));
  }

  async set(path: string, data: Uint8Array | string, version = -1, options: CallOptions = {}): Promise<Stat> {
    const op = checkedOp({ op: 'set', path, data, version });
    return this.#call(options.signal, () => required(this.#write(op).stat));
  }

  async exists(path: string, options: ReadOptions = {}): Promise<Stat | null> {
    checkPath(path);
    return this.#call(
      options.signal,
      () => this.#server.tree.stat(path),
      (stat) => this.#watch(stat ? 'data' : 'exists', path, options.watch),
    );
  }

  async get(path: string, options: ReadOptions = {}): Promise<{ data: Buffer; stat: Stat; zxid: Zxid }> {
    checkPath(path);
    return this.#call(
      options.signal,
      () => ({ ...this.#server.tree.get(path, this.identities), zxid: this.#server.zxid }),
      () => this.#watch('data', path, options.watch),
    );
  }

  async getEach(
    paths: readonly string[],
    options: CallOptions = {},
  ): Promise<{ found: (NodeRead | McpError)[]; zxid: Zxid }> {
    for (const path of paths) checkPath(path);
    return this.#call(options.signal, () => ({
      found: paths.map((path) => this.#nodeAt(path)),
      zxid: this.#server.zxid,
    }));
  }

  async children(path: string, options: ReadOptions = {}): Promise<{ children: string[]; stat: Stat; zxid: Zxid }> {
    checkPath(path);
    return this.#call(
      options.signal,
      () => ({ ...this.#server.tree.children(path, this.identities), zxid: this.#server.zxid }),
      () => this.#watch('children', path, options.watch),
    );
  }

  async sync(path: string, options: CallOptions = {}): Promise<void> {
    checkPath(path);
    return this.#call(options.signal, () => {});
  }

  async multi(ops: MultiOp[], options: CallOptions = {}): Promise<MultiResult[]> {
    const checked = ops.map((op) => checkedOp(op));
    return this.#call(options.signal, () => {
      const results = checked.length === 0 ? [] : this.#server.write(checked, this);
      return results.map(({ path, stat }, index) => multiResult(required(checked[index]).op, path, stat));
    });
  }

  async getAcl(path: string, options: CallOptions = {}): Promise<{ acl: Acl[]; stat: Stat }> {
    checkPath(path);
    return this.#call(options.signal, () => this.#server.tree.getAcl(path, this.identities));
  }

  async setAcl(path: string, acl: Acl[], aversion = -1, options: CallOptions = {}): Promise<Stat> {
    checkPath(path);
    return this.#call(options.signal, () => required(this.#write({ op: 'acl', path, acl, version: aversion }).stat));
  }

  async addAuth(scheme: string, auth: Uint8Array | string): Promise<void> {
    const refused = await this.#call(undefined, () => {
      if (scheme !== 'digest') return true;
      this.identities.push({ scheme, id: digestId(Buffer.from(auth).toString()) });
      return false;
    });
    if (!refused) return;
    this.#server.endSession(this);
    this.#die('auth-failed');
    throw registryError('REGISTRY_AUTH_FAILED', scheme);
  }

  async addWatch(
    path: string,
    mode: PersistentMode,
    listener: (notice: WatchNotice) => void,
    options: CallOptions = {},
  ): Promise<WatchHandle> {
    checkPath(path);
    const own = (notice: WatchNotice) => listener(notice);
    await this.#call(
      options.signal,
      () => {},
      () => this.#watches.addListener(mode, path, own),
    );
    return { close: async () => this.#watches.removeListener(mode, path, own) };
  }

  async close(): Promise<void> {
    if (this.#state.dead) return;
    const connected = this.state === 'connected';
    await null;
    if (connected) this.#server.endSession(this);
    this.#die('closed');
  }

  // What the registry (the "network") does to this client.

  receiveEvent(event: WatchEvent): void {
    if (this.state === 'connected') this.#deliver({ event });
  }

  disconnect(): void {
    if (this.state !== 'connected') return;
    const lost = [...this.#inbox.flatMap((item) => ('request' in item ? [item.request] : [])), ...this.#requests];
    this.#inbox = [];
    this.#requests = [];
    this.#state.set('suspended');
    for (const { fail } of lost) fail(registryError('REGISTRY_CONNECTION_LOSS'));
  }

  reconnect(): void {
    if (this.state !== 'suspended' || !this.#server.up) return;
    if (this.#sessionOver) {
      this.#die('expired');
      return;
    }
    this.#state.set('connected');
    for (const event of this.#missed()) this.#watches.dispatch(event);
    this.#lastZxid = this.#server.zxid;
    this.#watches.resync();
    for (const _ of this.#requests) queueMicrotask(() => this.#serve());
  }

  dropNextReply(): void {
    this.#dropNext = true;
  }

  sessionExpired(): void {
    this.#sessionOver = true;
    if (this.state === 'connected') this.#die('expired');
  }

  #call<T>(signal: AbortSignal | undefined, run: () => T, received: (value: T) => void = () => {}): Promise<T> {
    const dead = deadError(this.state);
    if (dead) return Promise.reject(dead);
    if (this.#requests.length >= this.#queueLimit) return Promise.reject(registryError('REGISTRY_QUEUE_FULL'));
    const call = new PendingCall<T>(signal, () => {
      // Once it is on the wire only the reply is ignored.
      if (this.state !== 'connected') this.#requests = this.#requests.filter((other) => other !== request);
    });
    if (call.settled) return call.promise;
    const request: Request = {
      run: () => {
        const value = run();
        return () => {
          if (!call.settled) received(value);
          call.resolve(value);
        };
      },
      fail: (error) => call.reject(error),
    };
    this.#requests.push(request);
    if (this.state === 'connected') queueMicrotask(() => this.#serve());
    return call.promise;
  }

  #serve(): void {
    if (this.state !== 'connected') return;
    const request = this.#requests.shift();
    if (!request) return;
    let receive: () => void;
    try {
      receive = request.run();
    } catch (error) {
      receive = () => request.fail(error);
    }
    this.#deliver({ request, receive, zxid: this.#server.zxid });
    if (!this.#dropNext) return;
    this.#dropNext = false;
    this.disconnect();
    queueMicrotask(() => this.reconnect());
  }

  #deliver(item: InboxItem): void {
    this.#inbox.push(item);
    queueMicrotask(() => {
      const next = this.#inbox.shift();
      if (!next) return;
      if ('event' in next) {
        this.#watches.dispatch(next.event);
        return;
      }
      this.#lastZxid = Math.max(this.#lastZxid, next.zxid);
      next.receive();
    });
  }

  #write(op: TreeOp): TreeResult {
    return required(this.#server.write([op], this)[0]);
  }

  #nodeAt(path: string): NodeRead | McpError {
    try {
      return this.#server.tree.get(path, this.identities);
    } catch (error) {
      if (isMcpError(error)) return error;
      throw error;
    }
  }

  #watch(kind: OneShotKind, path: string, watch: ReadOptions['watch']): void {
    if (watch) this.#watches.addOneShot(kind, path, watch);
  }

  /** What a server answers to the watches that a reconnecting client sets again: events for all that changed meanwhile. */
  #missed(): WatchEvent[] {
    const seen = this.#lastZxid;
    const stat = (path: string) => this.#server.tree.stat(path);
    const of = (kind: OneShotKind, judge: (stat: Stat | null) => WatchEvent['type'] | null) =>
      this.#watches.oneShotPaths(kind).flatMap((path): WatchEvent[] => {
        const type = judge(stat(path));
        return type === null ? [] : [{ type, path }];
      });
    return [
      ...of('data', (now) => (now === null ? 'deleted' : now.mzxid > seen ? 'changed' : null)),
      ...of('exists', (now) => (now === null ? null : 'created')),
      ...of('children', (now) => (now === null ? 'deleted' : now.pzxid > seen ? 'children' : null)),
    ];
  }

  #die(state: 'expired' | 'closed' | 'auth-failed'): void {
    if (this.#state.dead) return;
    const lost = [...this.#inbox.flatMap((item) => ('request' in item ? [item.request] : [])), ...this.#requests];
    this.#inbox = [];
    this.#requests = [];
    this.#state.set(state);
    for (const { fail } of lost) fail(deadError(state));
    this.#watches.lose();
  }
}

/** For values that are there by construction. */
function required<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw registryError('REGISTRY_PROTOCOL', 'the fake lost a result');
  return value;
}
