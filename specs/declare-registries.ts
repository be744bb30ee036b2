/** `gateway.registries` as declared, with defaults filled in; and the rules between them and the services. Pure. */

import type { BrokenRule } from './broken-rule.ts';
import { parseDuration } from './duration.ts';
import type { EnvironmentShape, ServiceShape } from './environment-schema.ts';
import type { ForeignDialect, ForeignRegistry, ForeignService } from './nouns.ts';
import type { ForeignServiceShape } from './registries-schema.ts';

const defaultGraceMs = 2000;

/** Undefined where none are declared. */
export function declareRegistries({ gateway, services }: EnvironmentShape): ForeignRegistry[] | undefined {
  const routes = new Map<string, string>();
  for (const [name, { route }] of (gateway?.registries ?? []).flatMap((registry) =>
    Object.entries(registry.services),
  )) {
    if (!routes.has(name)) routes.set(name, route ?? `/${name}`);
  }
  return gateway?.registries?.map(({ dialect, path, connect, grace, services: mapped }) => ({
    dialect,
    ...(connect === undefined ? {} : { connect }),
    graceMs: (grace === undefined ? undefined : parseDuration(grace)) ?? defaultGraceMs,
    services: Object.entries(mapped).map(([name, service]) => ({
      ...declareService(name, service, dialect, path),
      ...(Object.hasOwn(services, name) ? {} : { route: routes.get(name) }),
    })),
  }));
}

function declareService(
  name: string,
  { at, document, version, weight, endpoint }: ForeignServiceShape,
  dialect: ForeignDialect,
  base: string,
): ForeignService {
  const below = at ?? (dialect === 'nerve' ? `${name}/services` : name);
  return {
    service: name,
    path: base === '/' ? `/${below}` : `${base}/${below}`,
    version: version ?? dialect,
    ...(document === undefined ? {} : { document }),
    ...(weight === undefined ? {} : { weight }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** One service of one registry, and where it stands in the file. */
interface Mapped {
  name: string;
  path: (string | number)[];
  dialect: ForeignDialect;
  shape: ForeignServiceShape;
}

/** Rules between the registries and the declared services; routes are compared by the caller, with all others. */
export function brokenRegistries(
  registries: NonNullable<EnvironmentShape['gateway']>['registries'],
  services: EnvironmentShape['services'],
): BrokenRule[] {
  const mapped = (registries ?? []).flatMap(({ dialect, services: own }, index) =>
    Object.entries(own).map(([name, shape]): Mapped => {
      return { name, path: ['gateway', 'registries', index, 'services', name], dialect, shape };
    }),
  );
  const groups = [...Map.groupBy(mapped, ({ name }) => name)];
  return groups.flatMap(([name, group]) => {
    const declared = Object.hasOwn(services, name) ? services[name] : undefined;
    return [
      ...group.flatMap((one) => (declared ? joining(one) : [])),
      ...group.flatMap((one) =>
        one.shape.endpoint !== undefined && one.dialect !== 'serverset' ? [endpoint(one)] : [],
      ),
      ...group.slice(1).flatMap((one) => (declared ? [] : secondHand(one))),
      ...sameVersions(group, declared),
      ...mixedWeights(group, declared),
    ];
  });
}

function joining({ name, path, shape }: Mapped): BrokenRule[] {
  return (['route', 'document'] as const)
    .filter((key) => shape[key] !== undefined)
    .map((key) => ({
      path: [...path, key],
      on: 'key',
      message: `${key} is the declared service's: service ${name} is declared, and these instances stand beside its own`,
    }));
}

function secondHand({ name, path, shape }: Mapped): BrokenRule[] {
  return (['route', 'document'] as const)
    .filter((key) => shape[key] !== undefined)
    .map((key) => ({
      path: [...path, key],
      on: 'key',
      message: `${key} is said where service ${name} comes first: a service has one ${key}, whatever it is registered in`,
    }));
}

function endpoint({ path, dialect }: Mapped): BrokenRule {
  return { path: [...path, 'endpoint'], on: 'key', message: `endpoint is for serverset only, not for ${dialect}` };
}

function sameVersions(group: readonly Mapped[], declared: ServiceShape | undefined): BrokenRule[] {
  const taken = new Set(Object.keys(declared?.versions ?? {}));
  return group.flatMap(({ name, path, dialect, shape }) => {
    const version = shape.version ?? dialect;
    if (!taken.has(version)) {
      taken.add(version);
      return [];
    }
    const message = `version ${version} of service ${name} is taken: give these instances a version of their own`;
    return [{ path: shape.version === undefined ? path : [...path, 'version'], on: 'key' as const, message }];
  });
}

function mixedWeights(group: readonly Mapped[], declared: ServiceShape | undefined): BrokenRule[] {
  const weights = [...Object.values(declared?.versions ?? {}), ...group.map(({ shape }) => shape)].map(
    ({ weight }) => weight,
  );
  const isMixed = weights.some((weight) => weight !== undefined) && weights.includes(undefined);
  // What a declared service's own versions lack among each other is said there.
  const lacking = isMixed ? group.filter(({ shape }) => shape.weight === undefined) : [];
  const surplus = isMixed && lacking.length === 0 && group[0] ? [group[0]] : lacking;
  return surplus.map(({ path }) => ({
    path,
    on: 'key',
    message:
      'weight is on some versions only: give all versions of the service one, registered elsewhere or not, or none',
  }));
}
