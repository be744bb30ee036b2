/** The declared services as the gateway sees them: with the versions that other software registers beside their own. Pure. */
import type { Environment, ForeignService, Service, Version } from '../../specs/nouns.ts';

/** What of a service its route is made from. */
export interface RoutedService
  extends Pick<Service, 'name' | 'route' | 'document' | 'proxy'>,
    Partial<Pick<Service, 'drainTimeoutMs'>> {
  versions: readonly Pick<Version, 'version' | 'weight' | 'count'>[];
}

const none: readonly RoutedService[] = [];
const made = new WeakMap<Environment, readonly RoutedService[]>();

/** The same objects as long as the environment is the same one. */
export function routedServices(environment: Environment | null): readonly RoutedService[] {
  if (environment === null) return none;
  const known = made.get(environment);
  if (known) return known;
  const services = withForeign(environment);
  made.set(environment, services);
  return services;
}

function withForeign({ services, gateway }: Environment): readonly RoutedService[] {
  const foreign = Map.groupBy(
    (gateway.registries ?? []).flatMap((registry) => registry.services),
    ({ service }) => service,
  );
  if (foreign.size === 0) return services;
  const declared = new Set(services.map(({ name }) => name));
  const joined = services.map((service): RoutedService => {
    const others = foreign.get(service.name);
    return others ? { ...service, versions: [...service.versions, ...others.map(asVersion)] } : service;
  });
  const own = [...foreign]
    .filter(([name]) => !declared.has(name))
    .map(([name, all]): RoutedService => {
      const { route = `/${name}`, document } = all[0] ?? {};
      return { name, route, ...(document === undefined ? {} : { document }), versions: all.map(asVersion) };
    });
  return [...joined, ...own];
}

/** There are as many as there are: whichever goes, nobody here announced it by a smaller count. */
function asVersion({ version, weight }: ForeignService): Pick<Version, 'version' | 'weight' | 'count'> {
  return { version, count: Number.POSITIVE_INFINITY, ...(weight === undefined ? {} : { weight }) };
}
