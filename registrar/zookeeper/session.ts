/**
 * A ZooKeeper session over whatever connection there is: handshake, pings, reconnecting to another server under the same
 * session, expiry. What the requests mean is the client's (client.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionState, WatchEvent, Zxid } from '../registry-client.ts';
import type { RegistryTls } from './connection.ts';
import { Connection } from './connection.ts';
import { brokenConnection, registryError, serverError } from './errors.ts';
import { JuteReader } from './jute.ts';
import * as protocol from './protocol.ts';
import type { Request, RequestQueue } from './request-queue.ts';
import type { ServerList } from './server-list.ts';
import { deadError, StateBox } from './session-state.ts';

const pingsPerTimeout = 6;
const maxUnansweredPings = 3;
/** Whoever has no session and has seen nothing. */
const stranger: protocol.SessionCredentials = { id: 0n, password: Buffer.alloc(16) };

export interface SessionOptions {
  servers: ServerList;
  queue: RequestQueue;
  /** What we ask for; the server may grant another. */
  timeoutMs: number;
  /** For the connection, TLS and the handshake with one server together. */
  connectTimeoutMs: number;
  replyLimitBytes: number;
  tls?: RegistryTls;
  auth: Auth[];
  resume?: SessionCredentials;
  /** See WireOptions. */
  endTurnedAway: boolean;
  begun?: (credentials: SessionCredentials) => void;
  /** The watches to set again on a new connection, as frames; none on the first. */
  rewatch: (lastZxid: Zxid) => Buffer[];
  /** All of `rewatch` has been answered. */
  rewatched: () => void;
  /** `path` is the server's. */
  event: (event: WatchEvent) => void;
  /** The session is over, for whatever reason. */
  over: () => void;
  /** Each failed attempt and each broken connection, for logs. */
  trouble: (error: unknown) => void;
}

/** Of a session; a secret. */
export interface SessionCredentials {
  /** `0x` hex. */
  id: string;
  /** base64 */
  password: string;
}

export interface Auth {
  scheme: string;
  auth: Buffer;
  /** Called at the first answer, or at the end of the session. */
  done?: (error: unknown) => void;
}

/** What one connection has of its own. */
interface Link {
  connection: Connection;
  ready: boolean;
  timer: NodeJS.Timeout | undefined;
  /** Credentials whose answers are awaited, in order. */
  auths: Auth[];
  /** Answers to `rewatch` still awaited. */
  rewatches: number;
}

export class Session {
  readonly state = new StateBox('connecting');
  readonly #options: SessionOptions;
  readonly #stop = new AbortController();
  #credentials: protocol.SessionCredentials = { id: 0n, password: Buffer.alloc(16) };
  #timeoutMs: number;
  #lastZxid: Zxid = 0;
  #xid = 0;
  #link: Link | null = null;
  /** When the connection was lost, ms of a clock that never jumps. */
  #lostAt = 0;
  /** A server that turned the session away for longer than it lasts, and whether it takes others. */
  #doubted: { server: string; takesOthers: boolean } | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
    const { resume } = options;
    if (resume)
      this.#credentials = {
        id: BigInt.asIntN(64, BigInt(resume.id)),
        password: Buffer.from(resume.password, 'base64'),
      };
    void this.#run();
  }

  get id(): string | null {
    return this.#credentials.id === 0n ? null : protocol.sessionHex(this.#credentials.id);
  }

  get lastZxid(): Zxid {
    return this.#lastZxid;
  }

  /** Sends what waits in the queue, now or with the next connection. */
  flush(): void {
    const link = this.#link;
    if (link?.ready) this.#options.queue.sendAll((request) => this.#send(link, request));
  }

  /** Sends a frame that no answer is awaited for but `setWatches`' own; lost when there is no connection. */
  sendWatches(frame: Buffer): void {
    if (this.#link?.ready) this.#link.connection.send(frame);
  }

  /** Sends the credential now, and with every later connection. */
  addAuth(auth: Auth): void {
    this.#options.auth.push(auth);
    if (this.#link?.ready) this.#sendAuth(this.#link, auth);
  }

  /** Ends the session. `closing` is the request that tells the server; it is waited for as long as the session could last. */
  async close(closing: { request: Request; answered: Promise<void> }): Promise<void> {
    if (this.state.dead) return;
    const { queue } = this.#options;
    queue.failWaiting(() => deadError('closed'));
    if (this.#link?.ready) {
      try {
        queue.add(closing.request);
        this.flush();
        await Promise.race([closing.answered, sleep(this.#timeoutMs, undefined, { signal: this.#stop.signal })]);
      } catch {
        // The server will end the session by itself once it has timed out.
      }
    }
    this.#end('closed');
  }

  async #run(): Promise<void> {
    const { servers, trouble } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const { server, delayMs } = servers.next();
        await sleep(delayMs, undefined, { signal: this.#stop.signal });
        await this.#connection(server);
      } catch (error) {
        if (!this.#stop.signal.aborted) trouble(error);
      }
    }
  }

  /** Lives through one connection; rejects with the reason of its end. */
  #connection(server: { host: string; port: number }): Promise<never> {
    const { connectTimeoutMs, replyLimitBytes, tls } = this.#options;
    const name = `${server.host}:${server.port}`;
    const asStranger = this.#doubted?.server === name && !this.#doubted.takesOthers;
    return new Promise((_, reject) => {
      let opened = false;
      const connection = new Connection(server, tls, replyLimitBytes, {
        open: () => {
          opened = true;
          const [zxid, who] = asStranger ? [0, stranger] : [this.#lastZxid, this.#credentials];
          connection.send(protocol.connectFrame(zxid, this.#options.timeoutMs, who));
        },
        frame: (bytes) => {
          if (this.#link !== link) return;
          if (!asStranger) return this.#onFrame(link, bytes);
          // The session made for it has nothing and ends by itself.
          this.#doubted = { server: name, takesOthers: protocol.readConnectReply(bytes).timeoutMs > 0 };
          connection.destroy(new Error('it turns this session away and takes others'));
        },
        oversize: (head, length) => {
          if (this.#link === link) this.#onOversize(link, head, length);
        },
        closed: (error) => {
          clearTimeout(link.timer);
          const turnedAway = opened && !link.ready && this.#link === link;
          if (this.#link === link) this.#disconnected();
          if (turnedAway && this.#options.endTurnedAway) this.#turnedAway(name, asStranger);
          reject(brokenConnection(name, error));
        },
      });
      const link: Link = { connection, ready: false, timer: undefined, auths: [], rewatches: 0 };
      link.timer = setTimeout(
        () => connection.destroy(new Error(`no session within ${connectTimeoutMs} ms`)),
        connectTimeoutMs,
      );
      this.#link = link;
    });
  }

  /**
   * Without quorum a server turns everybody away. So a stranger asks it next; and where it takes one, the session once more, since
   * the quorum may have come back between the two.
   */
  #turnedAway(server: string, asStranger: boolean): void {
    if (asStranger) {
      if (!this.#doubted?.takesOthers) this.#doubted = null;
    } else if (this.#doubted?.server === server) {
      this.#end('expired');
    } else if (this.#doubted === null && this.id !== null && performance.now() - this.#lostAt > this.#timeoutMs) {
      this.#doubted = { server, takesOthers: false };
    }
  }

  #onFrame(link: Link, bytes: Buffer): void {
    if (!link.ready) {
      this.#onConnectReply(link, protocol.readConnectReply(bytes));
      return;
    }
    const reader = new JuteReader(bytes);
    const header = protocol.readReplyHeader(reader);
    if (header.xid === protocol.xids.event) {
      const event = protocol.readEvent(reader);
      if (event) this.#options.event(event);
      return;
    }
    if (header.error === 0) this.#options.servers.succeeded();
    if (header.xid === protocol.xids.ping) return;
    if (header.xid === protocol.xids.auth) {
      this.#onAuthReply(link, header);
      return;
    }
    if (header.zxid > this.#lastZxid) this.#lastZxid = header.zxid;
    if (header.xid === protocol.xids.setWatches) {
      this.#onWatchesReply(link, header);
      return;
    }
    const request = this.#options.queue.answered(header.xid);
    try {
      request.reply(header, reader);
    } catch (error) {
      request.fail(error);
      throw error;
    }
  }

  #onOversize(link: Link, head: Buffer, length: number): void {
    if (!link.ready) throw registryError('REGISTRY_PROTOCOL', `a handshake of ${length} bytes`);
    const header = protocol.readReplyHeader(new JuteReader(head));
    const request = this.#options.queue.answered(header.xid);
    const { path } = request;
    request.fail(
      registryError('REGISTRY_TOO_LARGE', `${path}: a reply of ${length} bytes`, { details: { path, length } }),
    );
  }

  #onConnectReply(link: Link, reply: protocol.SessionCredentials & { timeoutMs: number }): void {
    const known = this.#credentials.id !== 0n;
    if (reply.timeoutMs <= 0) {
      if (!known) throw registryError('REGISTRY_PROTOCOL', 'a new session was refused');
      this.#end('expired');
      return;
    }
    this.#credentials = { id: reply.id, password: reply.password };
    if (!known)
      this.#options.begun?.({
        id: protocol.sessionHex(reply.id),
        password: Buffer.from(reply.password).toString('base64'),
      });
    this.#timeoutMs = reply.timeoutMs;
    link.ready = true;
    this.#doubted = null;
    this.#watchSilence(link);
    for (const auth of this.#options.auth) this.#sendAuth(link, auth);
    if (known) {
      const frames = this.#options.rewatch(this.#lastZxid);
      link.rewatches = frames.length;
      for (const frame of frames) link.connection.send(frame);
    }
    this.state.set('connected');
    // A listener may have closed the client.
    this.flush();
  }

  /**
   * Pings six times per session timeout and breaks a connection on which three pings in a row brought nothing, so that half
   * of the timeout is left to find a better server. Pings are counted, not time: after we ourselves stood still, the
   * server gets its chance to answer.
   */
  #watchSilence(link: Link): void {
    clearTimeout(link.timer);
    let unanswered = 0;
    let received = link.connection.received;
    const tick = () => {
      unanswered = link.connection.received === received ? unanswered + 1 : 0;
      received = link.connection.received;
      if (unanswered >= maxUnansweredPings) {
        link.connection.destroy(new Error(`${unanswered} pings without an answer`));
        return;
      }
      link.connection.send(protocol.pingFrame());
      link.timer = setTimeout(tick, this.#timeoutMs / pingsPerTimeout);
    };
    link.timer = setTimeout(tick, this.#timeoutMs / pingsPerTimeout);
  }

  #sendAuth(link: Link, auth: Auth): void {
    link.auths.push(auth);
    link.connection.send(protocol.authFrame(auth.scheme, auth.auth));
  }

  #onAuthReply(link: Link, header: protocol.ReplyHeader): void {
    const auth = link.auths.shift();
    if (header.error === 0) {
      auth?.done?.(null);
      return;
    }
    auth?.done?.(serverError(header.error, auth.scheme));
    if (header.error === protocol.authFailed) this.#end('auth-failed');
  }

  #onWatchesReply(link: Link, header: protocol.ReplyHeader): void {
    if (header.error !== 0) throw serverError(header.error, 'setting the watches again');
    if (link.rewatches === 0) return;
    link.rewatches -= 1;
    if (link.rewatches === 0) this.#options.rewatched();
  }

  #send(link: Link, { body, opcode }: Request): number {
    this.#xid = this.#xid === 0x7fff_ffff ? 1 : this.#xid + 1;
    link.connection.send(protocol.seal(body, this.#xid, opcode));
    return this.#xid;
  }

  #disconnected(): void {
    this.#link = null;
    if (this.state.value === 'connected') {
      this.#lostAt = performance.now();
      this.state.set('suspended');
    }
    this.#options.queue.failOnWire(() => registryError('REGISTRY_CONNECTION_LOSS'));
  }

  #end(state: Extract<SessionState, 'expired' | 'auth-failed' | 'closed'>): void {
    if (this.state.dead) return;
    const link = this.#link;
    this.#link = null;
    this.state.set(state);
    this.#stop.abort();
    link?.connection.destroy(deadError(state));
    this.#options.queue.failOnWire(() => deadError(state));
    this.#options.queue.failWaiting(() => deadError(state));
    for (const auth of this.#options.auth) auth.done?.(deadError(state));
    this.#options.over();
  }
}
