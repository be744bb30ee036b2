/** Which registrations are instances that can be routed to. Pure. */
import type { KnownInstance, LiveRegistration, Rejected } from './route-table.ts';
import { byText, endpointOf } from './route-table.ts';
import type { RoutedService } from './routed-services.ts';
import { endpointProblem, versionProblem } from './safe-values.ts';

/** Leaves out what can't be routed to, and of two registrations of one endpoint in a service the older one. */
export function acceptRegistrations(
  registrations: readonly LiveRegistration[],
  places: ReadonlyMap<string, unknown>,
  rejected: Rejected[],
): LiveRegistration[] {
  const newest = new Map<string, LiveRegistration>();
  for (const registration of registrations) {
    const hasRoute = places.has(registration.record.service);
    const { problem, key } = endpointFacts(registration);
    if (!hasRoute || problem !== '') {
      rejected.push({ path: registration.path, reason: hasRoute ? problem : 'its service has no route' });
      continue;
    }
    const known = newest.get(key);
    if (known) rejected.push(superseded(known, registration));
    if (!known || isNewer(registration, known)) newest.set(key, registration);
  }
  return [...newest.values()].sort((a, b) => byText(a.path, b.path));
}

/** Our own agents check what they register, so their word counts more than any foreign one. */
function isNewer(a: LiveRegistration, b: LiveRegistration): boolean {
  if (!a.foreign !== !b.foreign) return !a.foreign;
  return (a.mzxid - b.mzxid || byText(a.path, b.path)) > 0;
}

function superseded(a: LiveRegistration, b: LiveRegistration): Rejected {
  const [older, newer] = isNewer(a, b) ? [b, a] : [a, b];
  const endpoint = endpointOf(newer.record);
  const isOurs = older.foreign !== undefined && newer.foreign === undefined;
  const how = isOurs ? `registers ${endpoint} natively` : `is a newer registration of ${endpoint}`;
  return { path: older.path, reason: `${newer.path} ${how}` };
}

interface EndpointFacts {
  /** Why it can't be routed to; empty where it can. */
  problem: string;
  /** Equal for two registrations of one process. */
  key: string;
}

// A registration object never changes, so what follows from it is worked out once.
const facts = new WeakMap<LiveRegistration, EndpointFacts>();
const instances = new WeakMap<LiveRegistration, { instance: KnownInstance; declaration: RoutedService | null }>();

function endpointFacts(registration: LiveRegistration): EndpointFacts {
  const known = facts.get(registration);
  if (known) return known;
  const { service, version, address, port } = registration.record;
  const key = `${service} ${endpointOf(registration.record)}`;
  const made = { problem: endpointProblem(address, port) || versionProblem(version), key };
  facts.set(registration, made);
  return made;
}

/** The instance that a registration stands for: the same object as long as the registration and the declaration are. */
export function asKnown(registration: LiveRegistration, declaration: RoutedService | null): KnownInstance {
  const known = instances.get(registration);
  if (known && known.declaration === declaration) return known.instance;
  const { path, record, foreign } = registration;
  const { service, version, machine, address, port, zone } = record;
  const document = record.document ?? declaration?.document ?? null;
  const declared = declaration !== null;
  const placed = zone === undefined ? {} : { zone };
  const instance = {
    path,
    service,
    version,
    machine,
    address,
    port,
    ...placed,
    document,
    declared,
    missingSince: null,
    ...(foreign && { foreign }),
  };
  instances.set(registration, { instance, declaration });
  return instance;
}
