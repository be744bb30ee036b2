/**
 * The registries of other software that the environment names: one session an ensemble, each service watched by itself, so that
 * one that can't be read, or holds nonsense, costs nobody else anything. Nothing is ever written there.
 */
import type { Clock } from '../../registrar/clock.ts';
import { SessionKeeper } from '../../registrar/recipes/session-keeper.ts';
import type { ForeignWord } from '../../registrar/records.ts';
import type { ConnectRegistry } from '../../registrar/registry-client.ts';
import { canonicalJson } from '../../specs/canonical-json.ts';
import type { ForeignRegistry } from '../../specs/nouns.ts';
import type { KnownInstance, LiveRegistration, Rejected, RouteTable } from '../routes/route-table.ts';
import { carriedOver } from './foreign-registrations.ts';
import { ForeignServiceWatch } from './foreign-service-watch.ts';

export interface ForeignRegistriesOptions {
  /** Opens sessions at ZooKeeper's own root: with the ensemble named, or (null) with MCP's own. */
  connect: (hosts: string | null) => ConnectRegistry;
  clock: Clock;
  allowLoopback: boolean;
  onChange: () => void;
  /** Ends it all. */
  signal: AbortSignal;
}

/** The watches of one ensemble under one declaration. */
interface Group {
  hosts: string | null;
  key: string;
  watches: ForeignServiceWatch[];
  ending: AbortController;
  done: Promise<void>;
}

export class ForeignRegistries {
  readonly #options: ForeignRegistriesOptions;
  #declared: readonly ForeignRegistry[] | undefined;
  #groups: Group[] = [];
  /** Of groups that end: their sessions are closed before `ended` resolves. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: ForeignRegistriesOptions) {
    this.#options = options;
  }

  /** What the environment says now. Ensembles whose part of it did not change go on as they are. */
  configure(declared: readonly ForeignRegistry[] | undefined): void {
    if (declared === this.#declared || this.#options.signal.aborted) return;
    this.#declared = declared;
    const wanted = Map.groupBy(declared ?? [], ({ connect }) => connect ?? null);
    const kept = this.#groups.filter((group) => group.key === canonicalJson(wanted.get(group.hosts) ?? []));
    for (const group of this.#groups) if (!kept.includes(group)) this.#end(group);
    const known = new Set(kept.map(({ hosts }) => hosts));
    const made = [...wanted].filter(([hosts]) => !known.has(hosts)).map(([hosts, all]) => this.#begin(hosts, all));
    this.#groups = [...kept, ...made];
  }

  /** True where none is declared. */
  isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  /** What is registered now; instances of what was not read yet are those known from before. */
  registrations(known: readonly KnownInstance[]): LiveRegistration[] {
    const watches = this.#watches();
    const unread = watches.filter(({ isRead }) => !isRead).map(({ prefix }) => prefix);
    const carried =
      unread.length === 0 ? [] : carriedOver(known, (path) => unread.some((prefix) => path.startsWith(prefix)));
    return [...watches.flatMap(({ registrations }) => registrations), ...carried];
  }

  rejected(): Rejected[] {
    return this.#watches().flatMap(({ rejected }) => rejected);
  }

  /** For people: each service, how many of its instances the table routes to, and what is wrong. */
  words(table: RouteTable): ForeignWord[] {
    const routes = new Map(table.routes.map((route) => [route.service, route]));
    return this.#watches().map(({ registry: { dialect }, service, prefix, problem }) => {
      const all = routes.get(service.service)?.instances.filter(({ path }) => path.startsWith(prefix)) ?? [];
      const routed = all.filter(({ weight }) => weight > 0).length;
      const out = all
        .filter(({ weight }) => weight === 0)
        .map(({ machine, says, state }) => `${machine}: ${says ?? state}`);
      return {
        ...{ service: service.service, version: service.version, dialect, path: prefix.slice(0, -1), problem },
        ...{ routed, out: out.slice(0, 5), instances: all.length },
        ...(service.route === undefined ? {} : { route: service.route }),
      };
    });
  }

  /** Resolves when all sessions are closed; to be called after the signal aborted. */
  async ended(): Promise<void> {
    await Promise.all([...this.#leaving, ...this.#groups.map(({ done }) => done)]);
  }

  #watches(): ForeignServiceWatch[] {
    return this.#groups.flatMap(({ watches }) => watches);
  }

  #begin(hosts: string | null, registries: readonly ForeignRegistry[]): Group {
    const { connect, clock, allowLoopback, onChange } = this.#options;
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, ending.signal]);
    const watches = registries.flatMap((registry) =>
      registry.services.map(
        (service) => new ForeignServiceWatch({ registry, service, clock, allowLoopback, onChange, signal }),
      ),
    );
    const tell = (problem: string) => {
      for (const watch of watches) watch.lost(problem);
    };
    const keeper = new SessionKeeper({
      connect: connect(hosts),
      clock,
      onSession: async (client, session) => {
        // A session outlives its connection, and nothing changes meanwhile: people are told at once that nothing can be read.
        const stopLooking = client.onState((state) => {
          for (const watch of watches) watch.away(state === 'connected' ? '' : `its registry is ${state}`);
        });
        try {
          await Promise.all(watches.map((watch) => watch.follow(client, session)));
        } finally {
          stopLooking();
          for (const watch of watches) watch.away('');
        }
      },
      onLost: (reason) => tell(reason instanceof Error ? reason.message : String(reason)),
    });
    // What no retry helps against (a name that is no address, refused credentials) stays told until the declaration changes.
    const done = keeper.run(signal).catch((error: Error) => tell(error.message));
    return { hosts, key: canonicalJson(registries), watches, ending, done };
  }

  #end(group: Group): void {
    group.ending.abort();
    this.#leaving.add(group.done);
    void group.done.then(() => this.#leaving.delete(group.done));
  }
}
