/**
 * The ephemeral nodes that this process wants in the registry, kept true through reconnects, new sessions and other people's
 * hands (P11): what is there is compared by owner and content, never assumed.
 */
import { isMcpError, McpError } from '../../specs/errors.ts';
import type { Clock } from '../clock.ts';
import { backoffDelay } from '../recipes/backoff.ts';
import type { RegistryClient, Stat, Zxid } from '../registry-client.ts';
import { Bell } from './bell.ts';

interface Wish {
  /** What the node shall hold; null: it shall not be there. */
  text: string | null;
  /** Make missing parents below the top level, persistent. */
  makeParents: boolean;
}

const backoff = { initialMs: 100, maxMs: 5_000 };
/** Races lost in a row to others who change the same node before it is left for later. */
const mostRaces = 5;

export class OwnNodes {
  readonly #clock: Clock;
  readonly #onTrouble: (path: string, error: unknown) => void;
  readonly #wishes = new Map<string, Wish>();
  /** What this session is known to hold, by path: null for "nothing there". Forgotten when in doubt. */
  readonly #known = new Map<string, { text: string | null; mzxid: Zxid }>();
  /** Paths at which the present session has made or found its own node. */
  readonly #owned = new Set<string>();
  readonly #bell = new Bell();
  readonly #done = new Bell();

  constructor(clock: Clock, onTrouble: (path: string, error: unknown) => void) {
    this.#clock = clock;
    this.#onTrouble = onTrouble;
  }

  /** Says what shall be at the path from now on; done as soon as there is a session. */
  want(path: string, text: string | null, options: { makeParents?: boolean } = {}): void {
    const wish = this.#wishes.get(path);
    if (wish?.text === text) return;
    this.#wishes.set(path, { text, makeParents: options.makeParents ?? false });
    this.#bell.ring();
  }

  /** Looks at everything again, after events may have been missed. */
  doubt(): void {
    this.#known.clear();
    this.#bell.ring();
  }

  /**
   * Resolves with the mzxid of the node (0 where it shall be absent) as soon as the registry holds what is wanted now; rejects
   * with the signal's reason.
   */
  async settled(path: string, signal: AbortSignal): Promise<Zxid> {
    for (;;) {
      const known = this.#known.get(path);
      if (known && known.text === (this.#wishes.get(path)?.text ?? null)) return known.mzxid;
      await this.#done.rung(signal);
    }
  }

  /**
   * Keeps the nodes true in this session until the signal aborts, then resolves.
   * Errors: AGENT_SUPERSEDED where another live process has taken over a node of ours.
   */
  async keep(client: RegistryClient, signal: AbortSignal): Promise<void> {
    this.#known.clear();
    this.#owned.clear();
    for (let failures = 0; !signal.aborted; ) {
      const troubled = await this.#pass(client, signal);
      failures = troubled ? failures + 1 : 0;
      const pause = troubled
        ? this.#clock.sleep(backoffDelay(backoff, failures - 1, 1), signal)
        : this.#bell.rung(signal);
      await pause.catch(() => {});
    }
    this.#known.clear();
  }

  /** True where a node could not be made true: try again soon. One bad node does not hold up the others. */
  async #pass(client: RegistryClient, signal: AbortSignal): Promise<boolean> {
    let troubled = false;
    // What was named last is what somebody waits for: an instance's registration, before what its agent says of itself.
    for (const [path, wish] of [...this.#wishes].reverse()) {
      if (signal.aborted) return false;
      const known = this.#known.get(path);
      if (known && known.text === wish.text) continue;
      try {
        await this.#makeTrue(client, path, wish, signal);
      } catch (error) {
        if (signal.aborted) return false;
        if (isMcpError(error, 'AGENT_SUPERSEDED')) throw error;
        this.#onTrouble(path, error);
        troubled = true;
      }
    }
    return troubled;
  }

  async #makeTrue(client: RegistryClient, path: string, wish: Wish, signal: AbortSignal): Promise<void> {
    this.#known.delete(path);
    for (let races = 0; races < mostRaces; races += 1) {
      const found = await this.#look(client, path, signal);
      const mine = found !== null && found.stat.ephemeralOwner === client.sessionId;
      if (mine) this.#owned.add(path);
      else if (found && this.#owned.has(path)) throw superseded(path, found.stat);
      if (wish.text === (found && (mine || wish.text === null) ? found.text : null)) {
        this.#known.set(path, { text: wish.text, mzxid: found?.stat.mzxid ?? 0 });
        // What was wanted may have changed meanwhile; then this is not the last word.
        this.#done.ring();
        return;
      }
      // After a change the node is read again, which proves it and sets the watch on what is there now.
      await change(client, path, wish, found, signal).catch((error: unknown) => {
        if (!isMcpError(error, 'REGISTRY_NODE_EXISTS', 'REGISTRY_BAD_VERSION')) throw error;
      });
    }
    throw new McpError('REGISTRY_BAD_VERSION', `${path} is being changed by someone else all the time`, {
      retryable: true,
    });
  }

  async #look(client: RegistryClient, path: string, signal: AbortSignal) {
    const watch = () => {
      this.#known.delete(path);
      this.#bell.ring();
    };
    try {
      const { data, stat } = await client.get(path, { signal, watch });
      return { text: data.toString('utf8'), stat };
    } catch (error) {
      if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
      throw error;
    }
  }
}

async function change(
  client: RegistryClient,
  path: string,
  wish: Wish,
  found: { stat: Stat } | null,
  signal: AbortSignal,
): Promise<void> {
  if (wish.text === null) {
    if (found) await take(client, path, found.stat, signal);
  } else if (!found) {
    await createEphemeral(client, path, wish.text, wish.makeParents, signal);
  } else if (found.stat.ephemeralOwner === client.sessionId) {
    await client.set(path, wish.text, found.stat.version, { signal }).catch(ignoreGone);
  } else {
    // Left by an earlier session of ours: it would vanish with that session, at a moment of its own. Replaced in one step, so
    // that watchers never see the instance missing.
    const replace = [
      { op: 'delete', path, version: found.stat.version } as const,
      { op: 'create', path, data: wish.text, mode: 'ephemeral' } as const,
    ];
    await client.multi(replace, { signal }).catch(ignoreGone);
  }
}

/**
 * Where a machine may register and take away nobody (access.ts), it can't take its own registration away either, but it can
 * end its session, and all that is its own with it.
 */
async function take(client: RegistryClient, path: string, stat: Stat, signal: AbortSignal): Promise<void> {
  try {
    await client.delete(path, stat.version, { signal });
  } catch (error) {
    const mine = stat.ephemeralOwner === client.sessionId;
    if (mine && isMcpError(error, 'REGISTRY_NO_AUTH')) await client.close();
    else ignoreGone(error);
  }
}

/** Gone between the look and the change: the next look decides. */
function ignoreGone(error: unknown): void {
  if (!isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
}

async function createEphemeral(
  client: RegistryClient,
  path: string,
  text: string,
  makeParents: boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.create(path, text, { mode: 'ephemeral', signal });
  } catch (error) {
    if (!makeParents || !isMcpError(error, 'REGISTRY_NO_NODE')) throw error;
    const parts = path.split('/').slice(1, -1);
    // The top level is the cluster's frame: where that is missing, this is no registry of ours.
    for (let depth = 2; depth <= parts.length; depth += 1)
      await client.create(`/${parts.slice(0, depth).join('/')}`, '', { signal }).catch((failure: unknown) => {
        if (!isMcpError(failure, 'REGISTRY_NODE_EXISTS')) throw failure;
      });
    await client.create(path, text, { mode: 'ephemeral', signal });
  }
}

function superseded(path: string, stat: Stat): McpError {
  return new McpError('AGENT_SUPERSEDED', `${path} was taken over by session ${stat.ephemeralOwner} while ours lives`, {
    hint: 'Two agents run with one machine id. The newer goes on; end one of them.',
    details: { path, owner: stat.ephemeralOwner },
  });
}
