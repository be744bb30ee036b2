/**
 * From what the registry holds to what the gateway serves. Pure: the same input gives the same table, to the byte.
 * One bad registration or service is left out with its reason and never takes another down with it.
 */
import type { Environment, Service } from '../../specs/nouns.ts';
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
import { byText, endpointOf } from './route-table.ts';
import { endpointProblem, routeProblem, serviceNameProblem } from './safe-values.ts';
import { versionWeights } from './weights.ts';

export interface RoutesInput {
  /** Null where nothing is declared: services then get their names as routes. */
  desired: Environment | null;
  /** A complete reading of the registry. */
  registrations: readonly LiveRegistration[];
  /** The table before this one; it carries what the loss guard remembers. */
  previous: RouteTable;
  /** Missing instances that did not answer a probe, by path. */
  dead: ReadonlySet<string>;
  /** ms since the Unix epoch. */
  now: number;
  limits?: LossLimits;
}

export function makeRoutes(input: RoutesInput): RouteTable {
  const rejected: Rejected[] = [];
  const prefixes = assignPrefixes(input.desired, input.registrations, input.previous.known, rejected);
  const accepted = acceptRegistrations(input.registrations, prefixes, rejected);
  const live = accepted.filter(({ record }) => record.state === 'up').map((one) => asKnown(one, prefixes));
  const guarded = guardLosses({
    previous: input.previous.known,
    live,
    registered: accepted,
    wanted: wantedCounts(input.desired),
    wantsAny: (input.desired?.services ?? []).some(({ versions }) => versions.some(({ count }) => count > 0)),
    dead: input.dead,
    now: input.now,
    limits: input.limits ?? defaultLossLimits,
  });

  const draining = accepted.filter(({ record }) => record.state === 'draining').map((one) => asKnown(one, prefixes));
  const members: Member[] = [
    ...live.map((instance): Member => ({ instance, state: 'routed' })),
    ...guarded.held.map((instance): Member => ({ instance, state: 'held' })),
    ...guarded.lost.map((instance): Member => ({ instance, state: 'lost' })),
    ...draining.map((instance): Member => ({ instance, state: 'draining' })),
  ];
  const membersOf = Map.groupBy(members, ({ instance }) => instance.service);
  const routes = [...prefixes.values()]
    .map((place) => makeRoute(place, membersOf.get(place.service) ?? [], guarded.reasons.get(place.service) ?? ''))
    .sort((a, b) => b.prefix.length - a.prefix.length || byText(a.prefix, b.prefix));
  return {
    routes,
    rejected: rejected.sort((a, b) => byText(a.path, b.path)),
    holding: [...guarded.reasons].map(([service, reason]) => `${service}: ${reason}`).join('; '),
    known: guarded.known,
  };
}

interface Member {
  instance: KnownInstance;
  state: InstanceState;
}

/** A service's place in the table. */
interface Place {
  service: string;
  prefix: string;
  declaration: Service | null;
}

/** Declared services first; then each registered one without a declaration gets `/<service>` if that is free. */
function assignPrefixes(
  desired: Environment | null,
  registrations: readonly LiveRegistration[],
  known: readonly KnownInstance[],
  rejected: Rejected[],
): Map<string, Place> {
  const places = new Map<string, Place>();
  const taken = new Map<string, string>();
  for (const declaration of desired?.services ?? []) {
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
  const declaredNames = new Set((desired?.services ?? []).map(({ name }) => name));
  const others = new Set([
    ...registrations.map(({ record }) => record.service),
    ...known.map(({ service }) => service),
  ]);
  for (const service of [...others].sort(byText)) {
    if (declaredNames.has(service)) continue;
    const prefix = `/${service}`;
    const holder = taken.get(prefix);
    const problem =
      serviceNameProblem(service) ||
      routeProblem(prefix) ||
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

/** Leaves out what can't be routed to, and of two registrations of one endpoint in a service the older one. */
function acceptRegistrations(
  registrations: readonly LiveRegistration[],
  places: ReadonlyMap<string, Place>,
  rejected: Rejected[],
): LiveRegistration[] {
  const newest = new Map<string, LiveRegistration>();
  for (const registration of [...registrations].sort((a, b) => a.mzxid - b.mzxid || byText(a.path, b.path))) {
    const { record, path } = registration;
    const problem = places.has(record.service)
      ? endpointProblem(record.address, record.port)
      : 'its service has no route';
    if (problem !== '') {
      rejected.push({ path, reason: problem });
      continue;
    }
    const key = `${record.service} ${endpointOf(record)}`;
    const older = newest.get(key);
    if (older) rejected.push({ path: older.path, reason: `${path} is a newer registration of ${endpointOf(record)}` });
    newest.set(key, registration);
  }
  return [...newest.values()].sort((a, b) => byText(a.path, b.path));
}

function asKnown({ path, record }: LiveRegistration, places: ReadonlyMap<string, Place>): KnownInstance {
  const { service, version, machine, address, port } = record;
  const declaration = places.get(service)?.declaration ?? null;
  const document = record.document ?? declaration?.document ?? null;
  const declared = declaration !== null;
  return { path, service, version, machine, address, port, document, declared, missingSince: null };
}

/** A version that a declared service does not list is wanted no more; of a service not declared nothing is known. */
function wantedCounts(desired: Environment | null): (service: string, version: string) => number | null {
  const declared = new Map((desired?.services ?? []).map((service) => [service.name, service]));
  return (service, version) => {
    const declaration = declared.get(service);
    if (!declaration) return null;
    return declaration.versions.find((one) => one.version === version)?.count ?? 0;
  };
}

function makeRoute(place: Place, members: readonly Member[], holding: string): Route {
  const declared = place.declaration?.versions ?? [];
  const weightOf = new Map(declared.map(({ version, weight }) => [version, weight ?? null]));
  const names = [...new Set([...weightOf.keys(), ...members.map(({ instance }) => instance.version)])].sort(byText);
  const loads = names.map((version) => ({
    version,
    weight: weightOf.get(version) ?? null,
    live: members.filter(({ instance, state }) => instance.version === version && isRoutable(state)).length,
  }));
  const weights = versionWeights(loads);
  const weightOfInstance = new Map(weights.map(({ version, instanceWeight }) => [version, instanceWeight]));
  const instances = members
    .map(({ instance, state }): RouteInstance => {
      const weight = isRoutable(state) ? (weightOfInstance.get(instance.version) ?? 0) : 0;
      const { path, machine, version, address, port } = instance;
      return {
        path,
        machine,
        version,
        address,
        port,
        state: isRoutable(state) && weight === 0 ? 'idle' : state,
        weight,
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
      share: weights[index]?.share ?? 0,
    })),
    instances,
    holding,
  };
}

function isRoutable(state: InstanceState): boolean {
  return state === 'routed' || state === 'held';
}
