import type { DocumentDoor, DocumentInfo, DocumentTarget } from '../document-source.ts';
import { nestedRoutes } from './gateway-paths.ts';

/** Which services and versions the merged document is made of, from what is live. Pure. */

/** Paths that the gateway answers itself. */
const ownPaths = ['/openapi.json', '/openapi.yaml', '/docs', '/status', '/healthz'];

export interface PlannedVersion {
  service: string;
  version: string;
  route: string;
  /** Where its document can be read. */
  places: { address: string; port: number; path: string }[];
}

export interface PlannedService {
  service: string;
  route: string;
  /** The one to show first: greatest weight, then newest. */
  versions: PlannedVersion[];
  /** Other routes within this one, and the gateway's own paths. */
  nested: string[];
  /** Absent where the gateway asks nothing of its callers. */
  door?: DocumentDoor;
}

export interface ServicePlan {
  /** Sorted by name. */
  services: PlannedService[];
  /** Services whose route another one has already. */
  clashing: { service: string; version: string; reason: string }[];
}

export function planServices(targets: readonly DocumentTarget[], doors: DocumentInfo['doors'] = {}): ServicePlan {
  const services = new Map<string, DocumentTarget[]>();
  for (const target of targets) {
    const known = services.get(target.service);
    if (known) known.push(target);
    else services.set(target.service, [target]);
  }
  const plan: ServicePlan = { services: [], clashing: [] };
  const owners = new Map<string, string>();
  for (const [service, own] of [...services].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const route = trimmed(own[0]?.route ?? '/');
    const owner = owners.get(route);
    const versions = plannedVersions(service, route, own);
    if (owner !== undefined) {
      const reason = `the route ${route} belongs to ${owner}`;
      plan.clashing.push(...versions.map(({ version }) => ({ service, version, reason })));
      continue;
    }
    owners.set(route, service);
    const door = Object.hasOwn(doors, service) ? doors[service] : undefined;
    plan.services.push({ service, route, versions, nested: [], ...(door && { door }) });
  }
  const routes = [...new Set([...owners.keys(), ...ownPaths])].sort();
  for (const planned of plan.services) planned.nested = nestedRoutes(planned.route, routes);
  return plan;
}

/** The plan with each service that is planned as before being the same object: what follows from it need not be done again. */
export function withKnown(plan: ServicePlan, before: ServicePlan): ServicePlan {
  const known = new Map(before.services.map((planned) => [planned.service, planned]));
  const services = plan.services.map((planned) => {
    const other = known.get(planned.service);
    return other && samePlan(planned, other) ? other : planned;
  });
  return { ...plan, services };
}

function samePlan(a: PlannedService, b: PlannedService): boolean {
  return (
    a.route === b.route &&
    JSON.stringify(a.door) === JSON.stringify(b.door) &&
    sameLists(a.nested, b.nested, (one, other) => one === other) &&
    sameLists(
      a.versions,
      b.versions,
      (one, other) =>
        one.version === other.version &&
        sameLists(one.places, other.places, (x, y) => byPlace(x, y) === 0 && x.path === y.path),
    )
  );
}

function sameLists<T>(a: readonly T[], b: readonly T[], same: (one: T, other: T) => boolean): boolean {
  return a.length === b.length && a.every((one, index) => same(one, b[index] as T));
}

function trimmed(route: string): string {
  return route.replace(/\/+$/, '') || '/';
}

function plannedVersions(service: string, route: string, targets: readonly DocumentTarget[]): PlannedVersion[] {
  const versions = new Map<string, PlannedVersion & { weight: number }>();
  for (const { version, address, port, path, weight = 0 } of targets) {
    const planned = versions.get(version) ?? { service, version, route, places: [], weight: 0 };
    planned.places.push({ address, port, path });
    planned.weight += weight;
    versions.set(version, planned);
  }
  return [...versions.values()]
    .sort((a, b) => b.weight - a.weight || compareVersions(b.version, a.version))
    .map(({ weight, places, ...planned }) => ({ ...planned, places: places.sort(byPlace) }));
}

/** Targets in another order are the same places. */
function byPlace(a: PlannedVersion['places'][number], b: PlannedVersion['places'][number]): number {
  return a.address === b.address ? a.port - b.port : a.address < b.address ? -1 : 1;
}

/** Negative where `a` is older. Numbers compare as numbers; a pre-release (`1.0.0-rc.1`) is older than its release. */
export function compareVersions(a: string, b: string): number {
  const [coreA = '', preA] = split(a);
  const [coreB = '', preB] = split(b);
  const order = compareParts(coreA, coreB);
  if (order !== 0) return order;
  if (preA === undefined || preB === undefined) return (preA === undefined ? 1 : 0) - (preB === undefined ? 1 : 0);
  return compareParts(preA, preB);
}

function split(version: string): [string, string | undefined] {
  const core = version.replace(/\+.*$/, '').replace(/^v(?=\d)/, '');
  const dash = core.indexOf('-');
  return dash < 0 ? [core, undefined] : [core.slice(0, dash), core.slice(dash + 1)];
}

function compareParts(a: string, b: string): number {
  const partsA = a.split('.');
  const partsB = b.split('.');
  for (let index = 0; index < Math.max(partsA.length, partsB.length); index++) {
    const x = partsA[index] ?? '';
    const y = partsB[index] ?? '';
    const numeric = /^\d+$/.test(x) && /^\d+$/.test(y);
    if (numeric ? Number(x) !== Number(y) : x !== y) return numeric ? Number(x) - Number(y) : x < y ? -1 : 1;
  }
  return 0;
}
