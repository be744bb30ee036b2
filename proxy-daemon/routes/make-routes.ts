/**
 * From what the registry holds to what the gateway serves. Pure: the same input gives the same table, to the byte. What
 * did not change since the table before is the same object in both, so that whoever uses them need not look at it again.
 * One bad registration or service is left out with its reason and never takes another down with it.
 */
import type { RegistrationRecord, ReleasesRecord } from '../../registrar/records.ts';
import type { Environment } from '../../specs/nouns.ts';
import { acceptRegistrations, asKnown } from './accept-registrations.ts';
import { instanceWeights } from './instance-weights.ts';
import type { LossLimits } from './loss-guard.ts';
import { defaultLossLimits, guardLosses } from './loss-guard.ts';
import type {
  InstanceState,
  KnownInstance,
  LiveRegistration,
  Rejected,
  Route,
  RouteInstance,
  RouteTable,
} from './route-table.ts';
import { byPrefix, byText } from './route-table.ts';
import { type RoutedService, routedServices } from './routed-services.ts';
import { routeProblem, serviceNameProblem } from './safe-values.ts';

export interface RoutesInput {
  /** Null where nothing is declared: services then get their names as routes. */
  desired: Environment | null;
  /** A complete reading of the registry. */
  registrations: readonly LiveRegistration[];
  /** The table before this one; it carries what the loss guard remembers. */
  previous: RouteTable;
  /** Missing instances that did not answer a probe, by path. */
  dead: ReadonlySet<string>;
  /** zxid of this reading. */
  asOf?: number;
  /** What operators let go of (P9). */
  releases?: ReleasesRecord['releases'];
  /** ms since the Unix epoch. */
  now: number;
  limits?: LossLimits;
}

export function makeRoutes(input: RoutesInput): RouteTable {
  return makeTable(input).table;
}

/** The table, where each service is in it, and whether the loss guard keeps missing instances in it. */
export function makeTable(input: RoutesInput): { table: RouteTable; places: Map<string, Place>; isGuarded: boolean } {
  const rejected: Rejected[] = [];
  const services = routedServices(input.desired);
  const prefixes = assignPrefixes(services, input.registrations, input.previous.known, rejected);
  const accepted = acceptRegistrations(input.registrations, prefixes, rejected);
  const { live, draining } = membersOf(accepted, prefixes);
  const guarded = guardLosses({
    previous: input.previous.known,
    live,
    registered: accepted,
    wanted: wantedCounts(services),
    wantsAny: (input.desired?.services ?? []).some(({ versions }) => versions.some(({ count }) => count > 0)),
    dead: input.dead,
    asOf: input.asOf ?? 0,
    released: releasedOf(input.releases ?? []),
    now: input.now,
    limits: input.limits ?? defaultLossLimits,
  });

  const members: Member[] = [
    ...live.map((instance): Member => ({ instance, state: 'routed' })),
    ...guarded.held.map((instance): Member => ({ instance, state: 'held' })),
    ...guarded.lost.map((instance): Member => ({ instance, state: 'lost' })),
    ...draining.map((instance): Member => ({ instance, state: 'draining' })),
  ];
  const ofService = Map.groupBy(members, ({ instance }) => instance.service);
  const before = new Map(input.previous.routes.map((route) => [route.service, route]));
  const routes = [...prefixes.values()]
    .map((place): Route => {
      const { service } = place;
      const origin = { place, members: ofService.get(service) ?? [], holding: guarded.reasons.get(service) ?? '' };
      return routeOf(origin, before.get(service));
    })
    .sort(byPrefix);
  const table = {
    routes: sameItems(input.previous.routes, routes) ? input.previous.routes : routes,
    rejected: rejected.sort((a, b) => byText(a.path, b.path)),
    holding: [...guarded.reasons].map(([service, reason]) => `${service}: ${reason}`).join('; '),
    known: guarded.known,
  };
  return { table, places: prefixes, isGuarded: guarded.held.length + guarded.lost.length > 0 };
}

/** What is registered, by what it means for routing. */
export function membersOf(
  registered: readonly LiveRegistration[],
  places: ReadonlyMap<string, Place>,
): { registered: readonly LiveRegistration[]; live: KnownInstance[]; draining: KnownInstance[] } {
  const inState = (state: RegistrationRecord['state']) =>
    registered
      .filter(({ record }) => record.state === state)
      .map((one) => asKnown(one, places.get(one.record.service)?.declaration ?? null));
  return { registered, live: inState('up'), draining: inState('draining') };
}

interface Member {
  instance: KnownInstance;
  state: InstanceState;
}

/** A service's place in the table. */
export interface Place {
  service: string;
  prefix: string;
  declaration: RoutedService | null;
}

/** All that a route is made from. */
interface Origin {
  place: Place;
  members: readonly Member[];
  holding: string;
}

const origins = new WeakMap<Route, Origin>();

/** The route before, where it was made from the same. */
export function routeOf(origin: Origin, before: Route | undefined): Route {
  const known = before && origins.get(before);
  if (known && sameOrigin(known, origin)) return before;
  const route = makeRoute(origin);
  origins.set(route, origin);
  return route;
}

function sameOrigin(a: Origin, b: Origin): boolean {
  return (
    a.place.prefix === b.place.prefix &&
    a.place.declaration === b.place.declaration &&
    a.holding === b.holding &&
    a.members.length === b.members.length &&
    a.members.every(({ instance, state }, index) => {
      const other = b.members[index];
      return other?.instance === instance && other.state === state;
    })
  );
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Declared services first; then each registered one without a declaration gets `/<service>` if that is free. */
function assignPrefixes(
  services: readonly RoutedService[],
  registrations: readonly LiveRegistration[],
  known: readonly KnownInstance[],
  rejected: Rejected[],
): Map<string, Place> {
  const places = new Map<string, Place>();
  const taken = new Map<string, string>();
  for (const declaration of services) {
    const holder = taken.get(declaration.route);
    const problem =
      serviceNameProblem(declaration.name) ||
      routeProblem(declaration.route) ||
      (holder === undefined ? '' : `route ${declaration.route} is already taken by ${holder}`);
    if (problem !== '' || places.has(declaration.name)) {
      rejected.push({ path: `/services/${declaration.name}`, reason: problem || 'declared twice' });
      continue;
    }
    taken.set(declaration.route, declaration.name);
    places.set(declaration.name, { service: declaration.name, prefix: declaration.route, declaration });
  }
  const declaredNames = new Set(services.map(({ name }) => name));
  const others = new Set<string>();
  for (const { record } of registrations) others.add(record.service);
  for (const { service } of known) others.add(service);
  for (const service of [...others].sort(byText)) {
    if (declaredNames.has(service)) continue;
    const prefix = `/${service}`;
    const holder = taken.get(prefix);
    const problem =
      undeclaredProblem(service) ||
      (holder === undefined ? '' : `not declared, and its route ${prefix} is taken by ${holder}`);
    if (problem !== '') {
      rejected.push({ path: `/services/${service}`, reason: problem });
      continue;
    }
    taken.set(prefix, service);
    places.set(service, { service, prefix, declaration: null });
  }
  return places;
}

function undeclaredProblem(service: string): string {
  return serviceNameProblem(service) || routeProblem(`/${service}`);
}

/** Where a service goes that nobody declares, if its prefix is free; null where its name can't be a route. */
export function undeclaredPlace(service: string): Place | null {
  return undeclaredProblem(service) === '' ? { service, prefix: `/${service}`, declaration: null } : null;
}

/** A version that a declared service does not list is wanted no more; of a service not declared nothing is known. */
function wantedCounts(services: readonly RoutedService[]): (service: string, version: string) => number | null {
  const declared = new Map(services.map((service) => [service.name, service]));
  return (service, version) => {
    const declaration = declared.get(service);
    if (!declaration) return null;
    return declaration.versions.find((one) => one.version === version)?.count ?? 0;
  };
}

/** The newest release that speaks of a service. */
function releasedOf(releases: ReleasesRecord['releases']): (service: string) => number | undefined {
  const newest = new Map<string | null, number>();
  for (const { service, asOf } of releases) newest.set(service, Math.max(asOf, newest.get(service) ?? asOf));
  const all = newest.get(null);
  return (service) => {
    const own = newest.get(service);
    return own === undefined || all === undefined ? (own ?? all) : Math.max(own, all);
  };
}

function makeRoute({ place, members, holding }: Origin): Route {
  const declared = place.declaration?.versions ?? [];
  const weightOf = new Map(declared.map(({ version, weight }) => [version, weight ?? null]));
  const names = [...new Set([...weightOf.keys(), ...members.map(({ instance }) => instance.version)])].sort(byText);
  const { versions, weights } = instanceWeights(
    names.map((version) => ({ version, weight: weightOf.get(version) ?? null })),
    members.map(({ instance: { version, foreign }, state }) => {
      return { version, factor: isRoutable(state) ? (foreign?.factor ?? 1) : 0 };
    }),
  );
  const instances = members
    .map(({ instance, state }, index): RouteInstance => {
      const weight = weights[index] ?? 0;
      const { path, machine, version, address, port, zone, foreign } = instance;
      return {
        path,
        machine,
        version,
        address,
        port,
        ...(zone === undefined ? {} : { zone }),
        state: isRoutable(state) && weight === 0 ? 'idle' : state,
        weight,
        ...(foreign && { dialect: foreign.dialect }),
        ...(foreign && foreign.says !== '' && { says: foreign.says }),
      };
    })
    .sort((a, b) => byText(a.version, b.version) || byText(a.path, b.path));
  return {
    prefix: place.prefix,
    service: place.service,
    declared: place.declaration !== null,
    document:
      place.declaration?.document ?? members.find(({ instance }) => instance.document)?.instance.document ?? null,
    versions: names.map((version, index) => ({
      version,
      weight: weightOf.get(version) ?? null,
      share: versions[index]?.share ?? 0,
    })),
    instances,
    ...(place.declaration?.proxy === undefined ? {} : { proxy: place.declaration.proxy }),
    ...(place.declaration === null ? {} : { drainTimeoutMs: place.declaration.drainTimeoutMs }),
    holding,
  };
}

function isRoutable(state: InstanceState): boolean {
  return state === 'routed' || state === 'held';
}
