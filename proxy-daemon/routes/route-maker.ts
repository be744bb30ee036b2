/**
 * Makes one route table after another. As long as all is well, a change of some services costs only these: their routes are
 * made anew and put among the others. That holds too while single instances of other services are missing; where so many are that the
 * loss guard acts, or anything is declared anew or in doubt, everything is looked at.
 * What comes out is the same either way, which a property test shows. Pure but for what it remembers.
 */
import type { ReleasesRecord } from '../../registrar/records.ts';
import type { Environment } from '../../specs/nouns.ts';
import { acceptRegistrations } from './accept-registrations.ts';
import { defaultLossLimits } from './loss-guard.ts';
import { makeTable, membersOf, type Place, routeOf, undeclaredPlace } from './make-routes.ts';
import type { RegistrationIndex } from './registration-index.ts';
import {
  byPrefix,
  byText,
  endpointOf,
  type KnownInstance,
  type LiveRegistration,
  type Rejected,
  type Route,
  type RouteTable,
} from './route-table.ts';
import { routedServices } from './routed-services.ts';

export interface MakerInput {
  desired: Environment | null;
  registrations: RegistrationIndex;
  /** Services whose registrations changed since the last call; null: any may have. */
  changed: ReadonlySet<string> | null;
  dead: ReadonlySet<string>;
  asOf: number;
  releases: ReleasesRecord['releases'];
  /** ms since the Unix epoch. */
  now: number;
}

/** More changed services than this are not worth doing one by one. */
const mostAtOnce = 64;

export class RouteMaker {
  #table: RouteTable;
  #places = new Map<string, Place>();
  #prefixes = new Map<string, string>();
  #desired: Environment | null | undefined;
  #releases: ReleasesRecord['releases'] | null = null;
  /** The loss guard holds nothing back, and no route is about to go. */
  #isQuiet = false;
  /** Missing instances that are remembered. */
  #missing: readonly KnownInstance[] = [];
  /** From when on time alone changes the table, ms since the Unix epoch. */
  #due = Number.NEGATIVE_INFINITY;

  /** `table`: the one to go on from, such as the last of an earlier daemon. */
  constructor(table: RouteTable) {
    this.#table = table;
  }

  /** False while instances are missing, or a route is about to go. */
  isSettled(): boolean {
    return this.#isQuiet && this.#missing.length === 0;
  }

  /** True where the table is to be made anew though nothing changed but the time. `now`: ms since the Unix epoch. */
  isDue(now: number): boolean {
    return !this.isSettled() && now >= this.#due;
  }

  /** True where the table holds routes of declared services. */
  hasDeclared(): boolean {
    return this.#desired !== null && this.#table.routes.some(({ declared }) => declared);
  }

  make(input: MakerInput): RouteTable {
    this.#table = this.#makeChanged(input) ?? this.#makeAll(input);
    return this.#table;
  }

  #makeAll(input: MakerInput): RouteTable {
    const { registrations, ...rest } = input;
    const made = makeTable({ ...rest, registrations: registrations.all(), previous: this.#table });
    const { table, places } = made;
    this.#places = places;
    this.#prefixes = new Map([...places].map(([service, { prefix }]) => [prefix, service]));
    this.#desired = input.desired;
    this.#releases = input.releases;
    this.#missing = table.known.filter(({ missingSince }) => missingSince !== null);
    // The route of an undeclared service whose last instance just went: it goes with the next table.
    const isLeaving =
      table.routes.some(({ declared, instances }) => !declared && instances.length === 0) ||
      table.rejected.some(({ path }) => this.#isNoMore(path, table, registrations));
    this.#isQuiet = !made.isGuarded && !isLeaving;
    this.#due = isLeaving ? input.now : nextForgetting(this.#missing, input.now);
    return table;
  }

  #isDeclared(service: string): boolean {
    return routedServices(this.#desired ?? null).some(({ name }) => name === service);
  }

  /** What is left out is a service that nobody declares, of which nothing is registered or remembered any more. */
  #isNoMore(path: string, table: RouteTable, registrations: RegistrationIndex): boolean {
    const service = /^\/services\/([^/]+)$/.exec(path)?.[1];
    if (service === undefined || this.#isDeclared(service)) return false;
    return registrations.ofService(service).length === 0 && !table.known.some((one) => one.service === service);
  }

  /** Null where everything has to be looked at. */
  #makeChanged({ desired, registrations, changed, releases, now }: MakerInput): RouteTable | null {
    const isKnown = this.#isQuiet && desired === this.#desired && releases === this.#releases;
    if (!isKnown || now >= this.#due || changed === null || changed.size > mostAtOnce) return null;
    const ofMissing = new Set(this.#missing.map(endpointOf));
    let table = this.#table;
    for (const service of changed) {
      // Whoever registers the endpoint of a missing one has taken its place.
      const isTaken = ({ record }: LiveRegistration) => ofMissing.has(endpointOf(record));
      if (ofMissing.size > 0 && registrations.ofService(service).some(isTaken)) return null;
      const next = this.#withService(table, service, registrations);
      if (next === null) return null;
      table = next;
    }
    // Of each service with missing ones at least as many live, and none of these changed: so it is with all together.
    return table;
  }

  #withService(table: RouteTable, service: string, registrations: RegistrationIndex): RouteTable | null {
    const own = registrations.ofService(service);
    const known = this.#places.get(service);
    const isDeclared = known ? known.declaration !== null : this.#isDeclared(service);
    const place = known ?? (isDeclared ? null : undeclaredPlace(service));
    // A node for the service, and none below it yet.
    const isAbout = ({ path }: Rejected) => path === `/services/${service}` || path.startsWith(`/services/${service}/`);
    const isKnown = isDeclared || this.#places.has(service) || table.rejected.some(isAbout);
    if (own.length === 0 && !isKnown) return table;
    if (place === null || (own.length === 0 && place.declaration === null)) return null;
    const holder = this.#prefixes.get(place.prefix);
    if (holder !== undefined && holder !== service) return null;

    const rejected: Rejected[] = [];
    const places = new Map([[service, place]]);
    const { registered, live, draining } = membersOf(acceptRegistrations(own, places, rejected), places);
    const [from, to] = rangeOf(table.known, service);
    const present = new Set(registered.map(({ path }) => path));
    // Something is gone unannounced: whether that is a loss depends on all the others.
    if (table.known.slice(from, to).some(({ path }) => !present.has(path))) return null;

    const at = placeOf(table.routes, place.prefix);
    const before = table.routes[at]?.service === service ? table.routes[at] : undefined;
    const members = [
      ...live.map((instance) => ({ instance, state: 'routed' as const })),
      ...draining.map((instance) => ({ instance, state: 'draining' as const })),
    ];
    const route = routeOf({ place, members, holding: '' }, before);
    this.#places.set(service, place);
    this.#prefixes.set(place.prefix, service);
    const others = table.rejected.filter(({ path }) => !path.startsWith(`/services/${service}/`));
    return {
      routes: route === before ? table.routes : table.routes.toSpliced(at, before ? 1 : 0, route),
      rejected: [...others, ...rejected].sort((a, b) => byText(a.path, b.path)),
      holding: '',
      known: table.known.toSpliced(from, to - from, ...live),
    };
  }
}

/** When the next of the missing is forgotten. */
function nextForgetting(missing: readonly KnownInstance[], now: number): number {
  const { memoryMs, holdMs } = defaultLossLimits;
  return missing.reduce((next, { missingSince }) => {
    const ends = [memoryMs, holdMs].map((ms) => (missingSince ?? now) + ms).filter((end) => end > now);
    return Math.min(next, ...ends);
  }, Number.POSITIVE_INFINITY);
}

/** Where the instances of a service are among those sorted by path: they are neighbours. */
function rangeOf(known: readonly KnownInstance[], service: string): [from: number, to: number] {
  // The character after `/` is `0`.
  const before = (limit: string) => firstNot(known.length, (at) => byText(known[at]?.path ?? '', limit) < 0);
  return [before(`/services/${service}/`), before(`/services/${service}0`)];
}

/** Where the route with this prefix is, or belongs. */
function placeOf(routes: readonly Route[], prefix: string): number {
  return firstNot(routes.length, (at) => byPrefix(routes[at] ?? { prefix: '' }, { prefix }) < 0);
}

/** The first number below `length` for which `isBefore` does not hold, where it holds for all up to some number. */
function firstNot(length: number, isBefore: (at: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
