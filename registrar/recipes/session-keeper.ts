import { isMcpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import type { ConnectRegistry, RegistryClient } from '../registry-client.ts';
import { backoffDelay } from './backoff.ts';
import { isOver, orAborted, stateSignal } from './state-signal.ts';

export interface SessionKeeperOptions {
  connect: ConnectRegistry;
  clock: Clock;
  /**
   * Called with each new session. `signal` aborts when that session is over or the keeper stops; then the promise must settle
   * soon: the next session is not made before, so that two never overlap. While the keeper stops, the client still works, so
   * that what is registered can be taken back. If it rejects by itself, the session is given up and a new one made.
   */
  onSession: (client: RegistryClient, signal: AbortSignal) => Promise<void> | void;
  /** Called when a session is over, or one could not be made. */
  onLost?: (reason: unknown) => void;
  /** 0 to 1, for jitter. */
  random?: () => number;
}

const backoff = { initialMs: 200, maxMs: 15_000 };
/** A session that lived this long, in ms, was a good one: the next failure starts the backoff anew. */
const goodSessionMs = 30_000;
/** No later try can help against these. */
const hopeless = ['REGISTRY_AUTH_FAILED', 'REGISTRY_BAD_ARGUMENTS'];

/** Keeps a registry session for a long-lived daemon: when one is over, makes another. */
export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  #client: RegistryClient | null = null;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  /** The session's client, or null between sessions. */
  client(): RegistryClient | null {
    return this.#client;
  }

  /** Runs until `signal` aborts, then closes the session and resolves. Rejects only where no retry can help. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, connect, onLost, random = Math.random } = this.#options;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const started = clock.monotonic();
      try {
        await this.#live(await connect({ signal }), signal);
      } catch (error) {
        if (signal.aborted) break;
        onLost?.(error);
        if (isMcpError(error, ...hopeless)) throw error;
      }
      if (clock.monotonic() - started >= goodSessionMs) failures = 0;
      await clock.sleep(backoffDelay(backoff, failures, random()), signal).catch(() => {});
    }
  }

  /** One session from its first moment to its last; rejects with what ended it. */
  async #live(client: RegistryClient, signal: AbortSignal): Promise<void> {
    const session = stateSignal(client, (state) => !isOver(state), signal);
    this.#client = client;
    try {
      const work = (async () => this.#options.onSession(client, session.signal))();
      const ended = orAborted(new Promise<never>(() => {}), session.signal);
      try {
        await Promise.race([ended, work.then(() => ended)]);
      } finally {
        session.abort(session.signal.reason);
        await work.catch(() => {});
      }
    } finally {
      this.#client = null;
      session.dispose();
      await client.close().catch(() => {});
    }
  }
}
