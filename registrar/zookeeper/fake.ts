/**
 * A registry in memory with ZooKeeper's behaviour, for tests and simulations: same contract as the wire client (both pass
 * test/conformance/registry-client.ts), no I/O, no timers, deterministic order (microtasks only).
 */
import type { Clock } from '../clock.ts';
import type { RegistryClient, WatchEvent, Zxid } from '../registry-client.ts';
import { registryError } from './errors.ts';
import type { FakeServer } from './fake-client.ts';
import { FakeClient } from './fake-client.ts';
import type { Identity, TreeOp, TreeResult } from './fake-tree.ts';
import { FakeTree } from './fake-tree.ts';

export interface FakeRegistryOptions {
  /** Stamps ctime and mtime, and ages TTL nodes; without it time stands still at 0. */
  clock?: Pick<Clock, 'now'>;
}

export class FakeRegistry implements FakeServer {
  readonly tree = new FakeTree();
  readonly #clients = new Set<FakeClient>();
  readonly #everMade = new WeakSet<RegistryClient>();
  readonly #now: () => number;
  readonly #waiting = new Set<() => void>();
  #zxid: Zxid = 0;
  #sessions = 0;
  #down = false;

  constructor(options: FakeRegistryOptions = {}) {
    this.#now = () => options.clock?.now() ?? 0;
  }

  /** The number of the last transaction. */
  get zxid(): Zxid {
    return this.#zxid;
  }

  /**
   * A client with a new session. While the registry is stopped, waits until it starts or the signal aborts. `queueLimit`:
   * requests it may have waiting, default 10,000.
   */
  readonly connect = async (options: { signal?: AbortSignal; queueLimit?: number } = {}): Promise<RegistryClient> => {
    options.signal?.throwIfAborted();
    await this.#untilUp(options.signal);
    this.#zxid += 1;
    this.#sessions += 1;
    const sessionId = `0x${(0x1_0000_0000_0000n + BigInt(this.#sessions)).toString(16)}`;
    const client = new FakeClient(this, sessionId, options.queueLimit ?? 10_000);
    this.#clients.add(client);
    this.#everMade.add(client);
    await null;
    return client;
  };

  /** The session expires on the server: its ephemerals go at once, the client learns it now, or on resume if suspended. */
  expire(client: RegistryClient): void {
    const fake = this.#own(client);
    this.endSession(fake);
    fake.sessionExpired();
  }

  /** The connection breaks: requests on the wire reject with CONNECTION_LOSS, the session lives on. */
  suspend(client: RegistryClient): void {
    this.#own(client).disconnect();
  }

  /** The connection is back (or the session turns out to have expired): watches fire or resync, waiting requests are sent. */
  resume(client: RegistryClient): void {
    this.#own(client).reconnect();
  }

  /**
   * The next request is applied, but its reply is lost: it and all others on the wire reject with CONNECTION_LOSS; the client
   * is suspended and at once connected again.
   */
  dropNextReply(client: RegistryClient): void {
    this.#own(client).dropNextReply();
  }

  /** The whole registry is out of reach: every client is suspended, `connect` waits. Sessions live on (but see `expire`). */
  stop(): void {
    this.#down = true;
    for (const client of this.#clients) client.disconnect();
  }

  /** Back after `stop`, with all data and sessions. */
  start(): void {
    this.#down = false;
    for (const go of [...this.#waiting]) go();
    for (const client of this.#clients) client.reconnect();
  }

  /** What ZooKeeper's cleaner does once a minute: deletes containers that lost their last child and TTL nodes past their time. */
  reap(): void {
    for (const path of this.tree.reapable(this.#now())) this.#remove(path);
  }

  /** For FakeClient: one transaction. The events reach every connected client before this one's reply. */
  write(ops: readonly TreeOp[], client: { sessionId: string; identities: readonly Identity[] }): TreeResult[] {
    this.#zxid += 1;
    const { sessionId: session, identities } = client;
    const { results, events } = this.tree.apply(ops, { session, identities, zxid: this.#zxid, now: this.#now() });
    this.#publish(events);
    return results;
  }

  /** For FakeClient: the session is over, its ephemerals go. */
  endSession(client: FakeClient): void {
    if (!this.#clients.delete(client)) return;
    this.#zxid += 1;
    for (const path of this.tree.ephemeralsOf(client.sessionId)) {
      this.#publish(this.tree.remove(path, this.#zxid));
    }
  }

  /** For FakeClient: may a connection be had now? */
  get up(): boolean {
    return !this.#down;
  }

  #remove(path: string): void {
    this.#zxid += 1;
    this.#publish(this.tree.remove(path, this.#zxid));
  }

  #publish(events: readonly WatchEvent[]): void {
    for (const client of this.#clients) for (const event of events) client.receiveEvent(event);
  }

  #own(client: RegistryClient): FakeClient {
    if (client instanceof FakeClient && this.#everMade.has(client)) return client;
    throw registryError('REGISTRY_BAD_ARGUMENTS', 'the client is not one of this fake registry');
  }

  #untilUp(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#down) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(go);
        reject(signal?.reason);
      };
      const go = () => {
        this.#waiting.delete(go);
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      this.#waiting.add(go);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
