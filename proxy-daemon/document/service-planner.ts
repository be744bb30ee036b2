import type { DocumentInfo, DocumentTarget } from '../document-source.ts';
import { nestedRoutes } from './gateway-paths.ts';
import {
  ownPaths,
  type PlannedService,
  plannedVersions,
  type ServicePlan,
  samePlan,
  trimmed,
} from './plan-services.ts';
import { firstNotBefore, joinSorted } from './sorted-names.ts';

type Doors = NonNullable<DocumentInfo['doors']>;

/** What one service asks for; it gets it where no other service has the route. */
type Claim = Pick<PlannedService, 'service' | 'route' | 'versions'>;

export interface PlanChange {
  /** Services that are planned otherwise than before, or for the first time, and what was planned of those and of services that are gone. */
  planned: readonly PlannedService[];
  before: readonly PlannedService[];
  /** What is told of services whose route another one has. */
  clashingChanged: boolean;
}

/**
 * The plan of the merged document, kept up to date: only the services whose targets changed are planned anew, with those that share a
 * route with them or hold one around theirs. All others stay the same objects. Of several services with one route the first by name
 * has it. Pure but for what it remembers.
 */
export class ServicePlanner {
  #targets: readonly DocumentTarget[] = [];
  #doors: Doors = {};
  readonly #claims = new Map<string, Claim>();
  /** By route. */
  readonly #claimants = new Map<string, Set<string>>();
  readonly #planned = new Map<string, PlannedService>();
  readonly #clashing = new Map<string, ServicePlan['clashing']>();
  /** All that are claimed, and the gateway's own; sorted. */
  #routes: readonly string[] = [...ownPaths].sort();
  #plan: ServicePlan = { services: [], clashing: [] };

  get plan(): ServicePlan {
    return this.#plan;
  }

  planned(service: string): PlannedService | undefined {
    return this.#planned.get(service);
  }

  /**
   * Tells the complete set of live instances. A step is one service: at first all of them are new. Must be run to its end before the
   * next one; until then the plan is the one before.
   */
  *update(targets: readonly DocumentTarget[], doors: Doors = {}): Generator<void, PlanChange> {
    const touched = new Set([
      ...servicesBetween(this.#targets, targets),
      ...(doors === this.#doors ? [] : doorsChanged(this.#doors, doors)),
    ]);
    this.#targets = targets;
    this.#doors = doors;
    return touched.size === 0 ? { planned: [], before: [], clashingChanged: false } : yield* this.#planAnew(touched);
  }

  *#planAnew(touched: Set<string>): Generator<void, PlanChange> {
    const routes = yield* this.#claimAnew(touched);
    yield;
    const concerned = new Set(touched);
    for (const route of routes) for (const service of this.#claimants.get(route) ?? []) concerned.add(service);
    for (const route of this.#withRoutes(routes)) {
      for (const outer of routesAround(route)) for (const one of this.#claimants.get(outer) ?? []) concerned.add(one);
    }
    const [planned, before]: [PlannedService[], PlannedService[]] = [[], []];
    let clashingChanged = false;
    for (const service of concerned) {
      const known = this.#planned.get(service);
      const { own, clashing } = this.#planOne(service);
      if (own === undefined ? known !== undefined : known === undefined || !samePlan(own, known)) {
        if (known) before.push(known);
        if (own) planned.push(own);
      }
      if (clashing.length === 0) clashingChanged = this.#clashing.delete(service) || clashingChanged;
      else {
        clashingChanged ||= JSON.stringify(this.#clashing.get(service)) !== JSON.stringify(clashing);
        this.#clashing.set(service, clashing);
      }
      yield;
    }
    const others = new Set(before.map(({ service }) => service));
    const services = joinSorted(
      this.#plan.services.filter((one) => !others.has(one.service)),
      planned,
      ({ service }) => service,
    );
    yield;
    for (const { service } of before) this.#planned.delete(service);
    for (const own of planned) this.#planned.set(own.service, own);
    const clashing = clashingChanged
      ? [...this.#clashing].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, told]) => told)
      : this.#plan.clashing;
    this.#plan = { services, clashing };
    return { planned, before, clashingChanged };
  }

  /** What the services ask for now. Gives the routes that they left or entered. */
  *#claimAnew(touched: ReadonlySet<string>): Generator<void, Set<string>> {
    const own = new Map<string, DocumentTarget[]>([...touched].map((service) => [service, []]));
    for (const target of this.#targets) own.get(target.service)?.push(target);
    const routes = new Set<string>();
    for (const [service, targets] of own) {
      yield;
      const before = this.#claims.get(service)?.route;
      const route = targets.length === 0 ? undefined : trimmed(targets[0]?.route ?? '/');
      if (route === undefined) this.#claims.delete(service);
      else this.#claims.set(service, { service, route, versions: plannedVersions(service, route, targets) });
      if (route === before) continue;
      if (before !== undefined) {
        this.#claimants.get(before)?.delete(service);
        routes.add(before);
      }
      if (route !== undefined) {
        const claimants = this.#claimants.get(route) ?? new Set();
        this.#claimants.set(route, claimants.add(service));
        routes.add(route);
      }
    }
    return routes;
  }

  /** Keeps the list of all routes, where the claims on some changed. Gives those that are new in it, or gone from it. */
  #withRoutes(changed: ReadonlySet<string>): string[] {
    const known = (route: string) => {
      const at = firstNotBefore(this.#routes, route, (one) => one);
      return this.#routes[at] === route;
    };
    const added: string[] = [];
    const removed = new Set<string>();
    for (const route of changed) {
      const isClaimed = (this.#claimants.get(route)?.size ?? 0) > 0;
      if (!isClaimed) this.#claimants.delete(route);
      const isThere = isClaimed || ownPaths.includes(route);
      if (isThere && !known(route)) added.push(route);
      if (!isThere && known(route)) removed.add(route);
    }
    if (added.length > 0 || removed.size > 0) {
      const stayed = this.#routes.filter((route) => !removed.has(route));
      this.#routes = joinSorted(stayed, added, (route) => route);
    }
    return [...added, ...removed];
  }

  #planOne(service: string): { own?: PlannedService; clashing: ServicePlan['clashing'] } {
    const claim = this.#claims.get(service);
    if (claim === undefined) return { clashing: [] };
    const { route, versions } = claim;
    let owner = service;
    for (const other of this.#claimants.get(route) ?? []) if (other < owner) owner = other;
    if (owner !== service) {
      const reason = `the route ${route} belongs to ${owner}`;
      return { clashing: versions.map(({ version }) => ({ service, version, reason })) };
    }
    const door = Object.hasOwn(this.#doors, service) ? this.#doors[service] : undefined;
    const nested = nestedRoutes(route, this.#routes);
    return { own: { service, route, versions, nested, ...(door && { door }) }, clashing: [] };
  }
}

/** The services of all targets between what both lists begin and end with. */
function servicesBetween(a: readonly DocumentTarget[], b: readonly DocumentTarget[]): string[] {
  const shortest = Math.min(a.length, b.length);
  let first = 0;
  while (first < shortest && sameTarget(a[first], b[first])) first += 1;
  let last = 0;
  while (last < shortest - first && sameTarget(a[a.length - 1 - last], b[b.length - 1 - last])) last += 1;
  const changed = [...a.slice(first, a.length - last), ...b.slice(first, b.length - last)];
  return changed.map(({ service }) => service);
}

function sameTarget(a: DocumentTarget | undefined, b: DocumentTarget | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  if (a.service !== b.service || a.version !== b.version || a.route !== b.route) return false;
  return a.address === b.address && a.port === b.port && a.path === b.path && a.weight === b.weight;
}

function doorsChanged(a: Doors, b: Doors): string[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.filter((service) => JSON.stringify(a[service]) !== JSON.stringify(b[service]));
}

/** The routes in which this one would lie. */
function routesAround(route: string): string[] {
  const around = ['/'];
  for (let end = route.lastIndexOf('/'); end > 0; end = route.lastIndexOf('/', end - 1))
    around.push(route.slice(0, end));
  return around;
}
