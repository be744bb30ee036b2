import type { DocumentDoor, DocumentTarget } from '../document-source.ts';

/** Which services and versions the merged document is made of, from what is live (service-planner.ts). Pure. */

/** Paths that the gateway answers itself. */
export const ownPaths = ['/openapi.json', '/openapi.yaml', '/docs', '/status', '/healthz'];

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

/** Equal plans are made into equal fragments of equal documents. */
export function samePlan(a: PlannedService, b: PlannedService): boolean {
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

/** Routes that differ in slashes at the end alone are the same. */
export function trimmed(route: string): string {
  return route.replace(/\/+$/, '') || '/';
}

/** The versions of one service, whose targets are given; the one to show first. */
export function plannedVersions(service: string, route: string, targets: readonly DocumentTarget[]): PlannedVersion[] {
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
