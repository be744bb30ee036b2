import { isMcpError, McpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { paths } from '../layout.ts';
import type { RegistryClient, WatchEvent } from '../registry-client.ts';
import { codecs, decode, encode } from '../store/codecs.ts';
import { required } from './format-registry.ts';
import { decideLatch, latchQueue } from './latch-decision.ts';
import { isOver, orAborted, stateSignal } from './state-signal.ts';

/** One time of leading. */
export interface LeaderTerm {
  /** The znode version of /epoch: every write of this term checks it (see epoch-guard.ts). */
  epoch: number;
  /** Aborts when the connection is suspended, the session over, /epoch moved, the place in the queue gone, or the run ends. */
  signal: AbortSignal;
}

export interface LeaderLatchOptions {
  /** A session of this contender; the latch lives and dies with it. */
  client: RegistryClient;
  clock: Clock;
  /** Unique among contenders, e.g. host, pid and a random part. */
  id: string;
}

/** ms between the end of a term that its leader ended by itself, or a failed request, and the next try. */
const pauseMs = 500;

/**
 * Leader election by a queue of ephemeral-sequential nodes. ZooKeeper cannot stop a leader that does not know it was deposed
 * (P8): the term's signal tells at once what can be known here, and the epoch makes the registry refuse the rest.
 */
export class LeaderLatch {
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #id: string;

  constructor(options: LeaderLatchOptions) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#id = options.id;
  }

  /**
   * Stands for leadership until `signal` aborts, then leaves the queue and resolves. Each time it leads, `lead` is called and
   * must settle soon after its term's signal aborted: nothing else is done before. If `lead` ends by itself the latch goes to
   * the end of the queue. Rejects with the session's end (make a new session and latch), with CLUSTER_MISMATCH
   * where the tree was wiped, or with what `lead` threw.
   */
  async run(lead: (term: LeaderTerm) => Promise<void>, signal: AbortSignal): Promise<void> {
    const session = stateSignal(this.#client, (state) => !isOver(state), signal);
    try {
      while (!session.signal.aborted) {
        try {
          await this.#step(lead, session.signal);
        } catch (error) {
          if (session.signal.aborted) break;
          if (!mayRetry(error)) throw error;
          await this.#clock.sleep(pauseMs, session.signal).catch(() => {});
        }
      }
      if (!signal.aborted) throw session.signal.reason;
    } finally {
      session.dispose();
      await this.#leave();
    }
  }

  /** Looks at the queue once and does what the decision says. */
  async #step(lead: (term: LeaderTerm) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { children } = await required(paths.leader, this.#client.children(paths.leader, { signal }));
    const own = await this.#findOwn(children, signal);
    const step = decideLatch(children, own);
    if (step.act === 'join') await this.#join(signal);
    else if (step.act === 'wait') await this.#awaitChange(`${paths.leader}/${step.predecessor}`, signal);
    else if (own !== null) await this.#lead(`${paths.leader}/${own}`, lead, signal);
  }

  /**
   * A create whose reply was lost may have been done, so a node of ours is looked for by what it says, not remembered (fault
   * 16); one that another session of ours left behind is not ours (P11).
   */
  async #findOwn(children: readonly string[], signal: AbortSignal): Promise<string | null> {
    for (const name of latchQueue(children)) {
      const contender = await readContender(this.#client, name, signal);
      if (contender?.id === this.#id && contender.session === this.#client.sessionId) return name;
    }
    return null;
  }

  async #join(signal: AbortSignal): Promise<void> {
    const data = encode(codecs.contender, { id: this.#id, at: this.#clock.now() });
    await this.#client.create(`${paths.leader}/n_`, data, { mode: 'ephemeral-sequential', signal });
  }

  async #awaitChange(path: string, signal: AbortSignal): Promise<void> {
    const seen = Promise.withResolvers<WatchEvent>();
    const stat = await this.#client.exists(path, { watch: seen.resolve, signal });
    if (stat !== null) await orAborted(seen.promise, signal);
  }

  async #lead(own: string, lead: (term: LeaderTerm) => Promise<void>, signal: AbortSignal): Promise<void> {
    const term = stateSignal(this.#client, (state) => state === 'connected', signal);
    try {
      const epoch = await this.#takeEpoch(own, term.signal);
      await this.#watchTerm(own, epoch, term.abort, term.signal);
      try {
        await lead({ epoch, signal: term.signal });
      } catch (error) {
        if (!term.signal.aborted) throw error;
      }
      if (term.signal.aborted) return;
      await this.#leave();
      await this.#clock.sleep(pauseMs, signal);
    } finally {
      term.dispose();
    }
  }

  /** Bumps /epoch while our place in the queue is there; one multi, so that a deposed contender cannot depose its successor. */
  async #takeEpoch(own: string, signal: AbortSignal): Promise<number> {
    const { stat } = await required(paths.epoch, this.#client.get(paths.epoch, { signal }));
    const data = encode(codecs.epoch, { leader: this.#id, at: this.#clock.now() });
    await this.#client.multi(
      [
        { op: 'check', path: own, version: 0 },
        { op: 'set', path: paths.epoch, data, version: stat.version },
      ],
      { signal },
    );
    return stat.version + 1;
  }

  /** Ends the term when /epoch moves or our place in the queue goes. */
  async #watchTerm(own: string, epoch: number, end: (reason: unknown) => void, signal: AbortSignal): Promise<void> {
    const watch = (event: WatchEvent) => end(epochLost(epoch, `${event.path} was ${event.type}`));
    const [current, place] = await Promise.all([
      this.#client.get(paths.epoch, { watch, signal }),
      this.#client.exists(own, { watch, signal }),
    ]);
    if (current.stat.version !== epoch) throw epochLost(epoch, `it is ${current.stat.version} now`);
    if (place === null) throw epochLost(epoch, 'the place in the queue is gone');
  }

  /** Takes our node away, if that can be done now; if not, it goes with the session. */
  async #leave(): Promise<void> {
    if (this.#client.state !== 'connected') return;
    const given = stateSignal(this.#client, (state) => state === 'connected');
    try {
      const { children } = await this.#client.children(paths.leader, { signal: given.signal });
      const own = await this.#findOwn(children, given.signal);
      if (own !== null) await this.#client.delete(`${paths.leader}/${own}`, -1, { signal: given.signal });
    } catch {
      return;
    } finally {
      given.dispose();
    }
  }
}

/** Who is first in line for leadership (the leader, or about to be), or null. */
export async function readLeader(client: RegistryClient, signal?: AbortSignal): Promise<string | null> {
  const { children } = await client.children(paths.leader, { signal });
  for (const name of latchQueue(children)) {
    const contender = await readContender(client, name, signal);
    if (contender !== null) return contender.id;
  }
  return null;
}

/** A contender's node; null where it has gone, or is not a contender's. */
async function readContender(
  client: RegistryClient,
  name: string,
  signal?: AbortSignal,
): Promise<{ id: string; session: string | null } | null> {
  const path = `${paths.leader}/${name}`;
  try {
    const { data, stat } = await client.get(path, { signal });
    return { id: decode(codecs.contender, path, data).id, session: stat.ephemeralOwner };
  } catch (error) {
    if (isMcpError(error, 'REGISTRY_NO_NODE', 'RECORD_INVALID')) return null;
    throw error;
  }
}

/** True for what a moment later may be well: a lost connection, or someone was faster. */
function mayRetry(error: unknown): boolean {
  if (!(error instanceof McpError)) return false;
  return error.retryable || ['EPOCH_LOST', 'REGISTRY_BAD_VERSION', 'REGISTRY_NO_NODE'].includes(error.code);
}

function epochLost(epoch: number, why: string): McpError {
  return new McpError('EPOCH_LOST', `epoch ${epoch} is over: ${why}`, { hint: 'Another controller leads now.' });
}
