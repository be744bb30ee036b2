/** The log's lines about registrations that are left out: once when it begins, once when it ends. */
import type { Clock } from '../../registrar/clock.ts';
import { appendEvent } from '../../registrar/recipes/event-log.ts';
import type { EventRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { Snapshot } from '../plan/snapshot.ts';

/** Lines a look: a flood of bad registrations must not push everything else out of the log. */
const mostLines = 10;
/** Registrations remembered; beyond them nothing new is told. */
const mostKnown = 500;

export class QuarantineLog {
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #leader: { id: string; epoch: number };
  /** Path to what was told of it. */
  readonly #told = new Map<string, string>();

  constructor(client: RegistryClient, clock: Clock, leader: { id: string; epoch: number }) {
    this.#client = client;
    this.#clock = clock;
    this.#leader = leader;
  }

  /** Tells what is new in a snapshot. A line that can't be written is tried again with the next one; that fails nothing. */
  async tell(snapshot: Pick<Snapshot, 'rejected' | 'gateways'>, signal: AbortSignal): Promise<void> {
    const now = leftOut(snapshot);
    const begun = [...now].filter(([path]) => !this.#told.has(path)).slice(0, mostKnown - this.#told.size);
    const ended = [...this.#told].filter(([path]) => !now.has(path));
    const lines = [
      ...begun.map(([path, reason]) => ({ path, reason, kind: 'registration.left-out', words: 'is left out' })),
      ...ended.map(([path, reason]) => ({
        path,
        reason: `it was: ${reason}`,
        kind: 'registration.accepted',
        words: 'is left out no more',
      })),
    ];
    try {
      for (const { path, reason, kind, words } of lines.slice(0, mostLines)) {
        await appendEvent(this.#client, this.#event(path, kind, `registration ${path} ${words}`, reason), { signal });
        if (kind === 'registration.left-out') this.#told.set(path, reason);
        else this.#told.delete(path);
      }
    } catch (error) {
      if (!isMcpError(error) && !signal.aborted) throw error;
    }
  }

  #event(path: string, kind: string, message: string, reason: string): EventRecord {
    const { id, epoch } = this.#leader;
    const [, service, version, machine] = /^\/services\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const place = service && version && machine ? { service, version, machine } : {};
    return { at: this.#clock.now(), actor: `controller:${id}`, kind, ...place, message, reason, epoch };
  }
}

/** What the controller itself does not believe, and what gateways leave out. */
function leftOut({ rejected, gateways }: Pick<Snapshot, 'rejected' | 'gateways'>): Map<string, string> {
  const ofGateways = gateways.flatMap(({ id, rejected: own }) =>
    own.map(({ path, reason }) => [path, `${id}: ${reason}`] as const),
  );
  const own = rejected
    .filter(({ path }) => path.startsWith('/services/'))
    .map(({ path, reason }) => [path, reason] as const);
  return new Map([...ofGateways, ...own]);
}
