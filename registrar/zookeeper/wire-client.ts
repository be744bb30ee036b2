/** The registry client on the wire: each call of the port as a ZooKeeper request (session.ts carries them). */
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
import { creatorAcl, openAcl } from './acl.ts';
import { parseConnectString } from './connect-string.ts';
import { registryError, serverError } from './errors.ts';
import type { JuteReader, JuteWriter } from './jute.ts';
import type { WriteOp } from './operations.ts';
import { checkedOp, maxRequestBytes } from './operations.ts';
import { checkPath, toClientPath, toServerPath } from './paths.ts';
import { PendingCall } from './pending-call.ts';
import * as protocol from './protocol.ts';
import type { Request } from './request-queue.ts';
import { RequestQueue } from './request-queue.ts';
import { ServerList } from './server-list.ts';
import { ServerWatches } from './server-watches.ts';
import type { Auth } from './session.ts';
import { Session } from './session.ts';
import { deadError } from './session-state.ts';
import type { OneShotKind, PersistentMode } from './watches.ts';
import { WatchTable } from './watches.ts';
import type { WireOptions } from './wire-options.ts';

interface Call<T> {
  opcode: number;
  body: JuteWriter;
  path: string;
  signal?: AbortSignal;
  /** Reads the reply's body. May throw the error the caller gets. */
  read: (reader: JuteReader, header: protocol.ReplyHeader) => T;
  /** Done as soon as the reply is there, unless the caller has given up. */
  received?: (value: T) => void;
}

export class WireClient implements RegistryClient {
  readonly #chroot: string;
  readonly #aclOf: (path: string) => readonly Acl[];
  readonly #queue: RequestQueue;
  readonly #session: Session;
  readonly #table = new WatchTable();
  readonly #watches = new ServerWatches(this.#table);
  #closing: Promise<void> | null = null;

  constructor(connectString: string, options: WireOptions) {
    const { servers, chroot } = parseConnectString(connectString);
    const timeoutMs = options.sessionTimeoutMs ?? 10_000;
    this.#chroot = chroot;
    const usual = options.auth?.length ? creatorAcl : openAcl;
    this.#aclOf = options.aclOf ?? (() => usual);
    this.#queue = new RequestQueue({
      requests: options.queueLimit ?? 10_000,
      bytes: options.queueBytes ?? 64 * 1024 * 1024,
    });
    this.#session = new Session({
      servers: new ServerList(servers, options.random ?? Math.random),
      queue: this.#queue,
      timeoutMs,
      connectTimeoutMs: options.connectTimeoutMs ?? Math.max(1000, timeoutMs / (servers.length + 1)),
      replyLimitBytes: options.replyLimitBytes ?? 4 * 1024 * 1024,
      tls: options.tls,
      resume: options.resume,
      endTurnedAway: options.endTurnedAway ?? false,
      begun: options.onSession,
      auth: (options.auth ?? []).map(({ scheme, auth }) => ({ scheme, auth: Buffer.from(auth) })),
      rewatch: (lastZxid) => this.#watches.all(this.#toServer).map((set) => protocol.setWatchesFrame(lastZxid, set)),
      rewatched: () => this.#table.resync(),
      event: (event) => this.#onEvent(event),
      over: () => this.#table.lose(),
      trouble: options.onTrouble ?? (() => {}),
    });
  }

  get state(): SessionState {
    return this.#session.state.value;
  }

  get sessionId(): string | null {
    return this.#session.id;
  }

  get lastZxid(): Zxid {
    return this.#session.lastZxid;
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#session.state.listen(listener);
  }

  /** Resolves at the first connection, with all credentials accepted. */
  async connected(signal: AbortSignal): Promise<void> {
    while (true) {
      try {
        // Answered only by a server that took the session and the credentials sent before it.
        await this.sync('/', { signal });
        return;
      } catch (error) {
        if (!isMcpError(error, 'REGISTRY_CONNECTION_LOSS')) throw error;
      }
    }
  }

  async create(
    path: string,
    data?: Uint8Array | string,
    options: CallOptions & { mode?: CreateMode; acl?: Acl[]; ttlMs?: number } = {},
  ): Promise<{ path: string; stat: Stat; zxid: Zxid }> {
    const { mode, acl, ttlMs, signal } = options;
    return this.#write(
      checkedOp({ op: 'create', path, data, mode, acl: acl ?? [...this.#aclOf(path)], ttlMs }),
      signal,
      (reader, { zxid }) => {
        const created = this.#toClient(reader.string());
        return { path: created, stat: protocol.readStat(reader), zxid };
      },
    );
  }

  async delete(path: string, version = -1, options: CallOptions = {}): Promise<void> {
    return this.#write(checkedOp({ op: 'delete', path, version }), options.signal, () => {});
  }

  async set(path: string, data: Uint8Array | string, version = -1, options: CallOptions = {}): Promise<Stat> {
    return this.#write(checkedOp({ op: 'set', path, data, version }), options.signal, protocol.readStat);
  }

  async exists(path: string, options: ReadOptions = {}): Promise<Stat | null> {
    return this.#read(
      protocol.opcodes.exists,
      path,
      options,
      (reader, { error }) => (error === protocol.noNode ? null : protocol.readStat(reader)),
      (stat) => (stat ? 'data' : 'exists'),
    );
  }

  async get(path: string, options: ReadOptions = {}): Promise<{ data: Buffer; stat: Stat; zxid: Zxid }> {
    return this.#read(
      protocol.opcodes.getData,
      path,
      options,
      (reader, { zxid }) => ({ data: reader.buffer(), stat: protocol.readStat(reader), zxid }),
      () => 'data',
    );
  }

  async getEach(
    paths: readonly string[],
    { signal }: CallOptions = {},
  ): Promise<{ found: (NodeRead | McpError)[]; zxid: Zxid }> {
    for (const path of paths) checkPath(path);
    return this.#call({
      opcode: protocol.opcodes.multiRead,
      body: protocol.writeGets(protocol.requestBody(), paths.map(this.#toServer)),
      path: paths[0] ?? '/',
      signal,
      read: (reader, { zxid }) => ({ found: protocol.readGets(reader, paths), zxid }),
    });
  }

  async children(path: string, options: ReadOptions = {}): Promise<{ children: string[]; stat: Stat; zxid: Zxid }> {
    return this.#read(
      protocol.opcodes.getChildren2,
      path,
      options,
      (reader, { zxid }) => ({ children: reader.strings().sort(), stat: protocol.readStat(reader), zxid }),
      () => 'children',
    );
  }

  async sync(path: string, options: CallOptions = {}): Promise<void> {
    checkPath(path);
    const body = protocol.requestBody().string(this.#toServer(path));
    return this.#call({ opcode: protocol.opcodes.sync, body, path, signal: options.signal, read: () => {} });
  }

  async multi(ops: MultiOp[], options: CallOptions = {}): Promise<MultiResult[]> {
    const checked = ops.map((op) => checkedOp(op, this.#aclOf(op.path)));
    if (checked.length === 0) {
      await this.sync('/', options);
      return [];
    }
    return this.#call({
      opcode: protocol.opcodes.multi,
      body: protocol.writeMulti(protocol.requestBody(), checked.map(this.#opToServer)),
      path: checked[0]?.path ?? '/',
      signal: options.signal,
      read: (reader) => protocol.readMulti(reader, checked, this.#toClient),
    });
  }

  async getAcl(path: string, options: CallOptions = {}): Promise<{ acl: Acl[]; stat: Stat }> {
    checkPath(path);
    return this.#call({
      opcode: protocol.opcodes.getAcl,
      body: protocol.requestBody().string(this.#toServer(path)),
      path,
      signal: options.signal,
      read: (reader) => ({ acl: protocol.readAcl(reader), stat: protocol.readStat(reader) }),
    });
  }

  async setAcl(path: string, acl: Acl[], aversion = -1, options: CallOptions = {}): Promise<Stat> {
    checkPath(path);
    const body = protocol.requestBody().string(this.#toServer(path));
    return this.#call({
      opcode: protocol.opcodes.setAcl,
      body: protocol.writeAcl(body, acl).int(aversion),
      path,
      signal: options.signal,
      read: protocol.readStat,
    });
  }

  async addAuth(scheme: string, auth: Uint8Array | string): Promise<void> {
    this.#throwIfOver();
    await new Promise<void>((resolve, reject) => {
      const done: Auth['done'] = (error) => (error ? reject(error) : resolve());
      this.#session.addAuth({ scheme, auth: Buffer.from(auth), done });
    });
  }

  async addWatch(
    path: string,
    mode: PersistentMode,
    listener: (notice: WatchNotice) => void,
    options: CallOptions = {},
  ): Promise<WatchHandle> {
    checkPath(path);
    this.#throwIfOver();
    options.signal?.throwIfAborted();
    const own = (notice: WatchNotice) => listener(notice);
    const body = protocol.addWatchBody(this.#toServer(path), this.#watches.want(path, mode));
    try {
      await this.#call({
        opcode: protocol.opcodes.addWatch,
        body,
        path,
        signal: options.signal,
        read: () => {},
        received: () => this.#table.addListener(mode, path, own),
      });
    } catch (error) {
      void this.#unwatch(path, mode);
      throw error;
    }
    let closing: Promise<void> | null = null;
    const close = () => {
      this.#table.removeListener(mode, path, own);
      return this.#unwatch(path, mode);
    };
    return {
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const call = new PendingCall<void>();
    const request: Request = {
      opcode: protocol.opcodes.closeSession,
      body: protocol.requestBody(),
      path: '/',
      reply: () => call.resolve(),
      fail: (error) => call.reject(error),
    };
    call.promise.catch(() => {});
    await this.#session.close({ request, answered: call.promise });
  }

  #write<T>(op: WriteOp, signal: AbortSignal | undefined, read: Call<T>['read']): Promise<T> {
    const body = protocol.writeOpBody(protocol.requestBody(), this.#opToServer(op));
    return this.#call({ opcode: protocol.writeOpcode(op), body, path: op.path, signal, read });
  }

  #read<T>(
    opcode: number,
    path: string,
    { signal, watch }: ReadOptions,
    read: Call<T>['read'],
    kind: (value: T) => OneShotKind,
  ): Promise<T> {
    checkPath(path);
    const atServer = watch !== undefined && this.#watches.strongest(path) === null;
    const body = protocol.requestBody().string(this.#toServer(path)).bool(atServer);
    const received = (value: T) => {
      if (!watch) return;
      this.#table.addOneShot(kind(value), path, watch);
      // The persistent watch it should have leaned on has gone meanwhile.
      if (!atServer && this.#watches.strongest(path) === null) this.#rearm(path);
    };
    return this.#call({ opcode, body, path, signal, read, received });
  }

  #call<T>({ opcode, body, path, signal, read, received }: Call<T>): Promise<T> {
    try {
      this.#throwIfOver();
      if (body.bytes().length - 4 > maxRequestBytes)
        throw registryError('REGISTRY_TOO_LARGE', path, { details: { path } });
      const call = new PendingCall<T>(signal, () => this.#queue.forget(request));
      if (call.settled) return call.promise;
      const request: Request = {
        opcode,
        body,
        path,
        reply: (header, reader) => {
          const absent = opcode === protocol.opcodes.exists && header.error === protocol.noNode;
          if (header.error !== 0 && !absent) {
            call.reject(serverError(header.error, path));
            return;
          }
          try {
            const value = read(reader, header);
            if (!call.settled) received?.(value);
            call.resolve(value);
          } catch (error) {
            call.reject(error);
            // Bytes that make no sense: nothing that follows on this connection can be trusted.
            if (isMcpError(error, 'REGISTRY_PROTOCOL')) throw error;
          }
        },
        fail: (error) => call.reject(error),
      };
      this.#queue.add(request);
      this.#session.flush();
      return call.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** One wish for a persistent watch less: tells the server, if there is one. */
  async #unwatch(path: string, mode: PersistentMode): Promise<void> {
    const before = this.#watches.strongest(path);
    const left = this.#watches.unwant(path, mode);
    if (this.state !== 'connected' || left === before) return;
    const opcode = left ? protocol.opcodes.addWatch : protocol.opcodes.removeWatches;
    const serverPath = this.#toServer(path);
    const body = left ? protocol.addWatchBody(serverPath, left) : protocol.removeWatchesBody(serverPath);
    const told = this.#call({ opcode, body, path, read: () => {} });
    if (!left) this.#rearm(path);
    // A watch that is already gone, with its connection or session, is what was wanted.
    await told.catch(() => {});
  }

  /** Sets the one-shot watches of a path at the server again; what changed since the last reply fires them at once. */
  #rearm(path: string): void {
    const set = this.#watches.oneShotsAt(path, this.#toServer);
    if (set) this.#session.sendWatches(protocol.setWatchesFrame(this.lastZxid, set));
  }

  #onEvent(event: WatchEvent): void {
    const path = toClientPath(this.#chroot, event.path);
    if (path === null) return;
    const own: WatchEvent = { type: event.type, path };
    this.#table.dispatch(own);
    const implied = this.#watches.implied(own);
    if (implied) this.#table.dispatch(implied);
  }

  #throwIfOver(): void {
    const error = deadError(this.#closing ? 'closed' : this.state);
    if (error) throw error;
  }

  readonly #toServer = (path: string): string => toServerPath(this.#chroot, path);

  readonly #toClient = (path: string): string => toClientPath(this.#chroot, path) ?? path;

  readonly #opToServer = (op: WriteOp): WriteOp => {
    const namesChildOfRoot = op.op === 'create' && op.path === '/' && op.mode.includes('sequential');
    return { ...op, path: namesChildOfRoot ? `${this.#chroot}/` : this.#toServer(op.path) };
  };
}
