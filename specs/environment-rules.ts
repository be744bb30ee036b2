/** Rules between the parts of an environment whose shape is right: what zod can't say about one value alone. */
import type { BrokenRule } from './broken-rule.ts';
import { brokenMirror, brokenSplits } from './choice-shape.ts';
import { brokenFrontDoor } from './declare-front-door.ts';
import { brokenRegistries } from './declare-registries.ts';
import { type EnvironmentShape, gatewayPaths, limits, type ServiceShape } from './environment-schema.ts';
import { builtInImages, isImageId } from './image-reference.ts';
import { didYouMean } from './near-miss.ts';
import { defaultRollout, leavesNoRoom } from './rollout-settings.ts';
import { brokenOrder } from './service-order.ts';
import type { Path } from './yaml-tree.ts';

/** The route of a service that may declare none. */
export function routeOf(name: string, service: Pick<ServiceShape, 'route'>): string {
  return service.route ?? `/${name}`;
}

export function brokenRules(
  { services, gateway }: Pick<EnvironmentShape, 'services' | 'gateway'>,
  options: { allowEmpty: boolean },
): BrokenRule[] {
  const entries = Object.entries(services);
  return [
    ...brokenSizes(entries, options.allowEmpty),
    ...brokenRoutes([...placesOf(entries), ...foreignPlaces(gateway, services)]),
    ...brokenRegistries(gateway?.registries, services),
    ...brokenOrder(services),
    ...brokenFrontDoor({ gateway, services }),
    ...entries.flatMap(([name, service]) => [
      ...(options.allowEmpty ? [] : emptyVersions(name, service)),
      ...brokenWeights(name, service),
      ...missingCommands(name, service),
      ...stuckRollout(name, service),
      ...brokenSplits(name, service.proxy ?? {}, Object.keys(service.versions)),
      ...brokenMirror(name, service.proxy ?? {}, service),
    ]),
  ];
}

/**
 * An image that can never exist: in a file that declares images, one that is neither declared nor built in. Without any it
 * may be somebody else's, such as a cloud's; then it is only missing as long as it is.
 */
export function brokenImages({ images, pool, services }: EnvironmentShape): BrokenRule[] {
  if (images === undefined) return [];
  const known = [...Object.keys(images), ...builtInImages];
  const taken = Object.keys(images)
    .filter((name) => builtInImages.includes(name))
    .map(
      (name): BrokenRule => ({
        path: ['images', name],
        on: 'key',
        message: `the image ${name} is built in: choose another name`,
      }),
    );
  const named = [
    { path: ['pool', 'image'], image: pool?.image },
    ...Object.entries(services).map(([name, { image }]) => ({ path: ['services', name, 'image'], image })),
  ];
  const unknown = named.flatMap(({ path, image }): BrokenRule[] => {
    if (image === undefined || known.includes(image) || isImageId(image)) return [];
    return [{ path, on: 'value', message: `no image "${image}" is declared${didYouMean(image, known)}` }];
  });
  return [...taken, ...unknown];
}

function brokenSizes(entries: readonly [string, ServiceShape][], allowEmpty: boolean): BrokenRule[] {
  const atServices = (message: string): BrokenRule[] => [{ path: ['services'], on: 'key', message }];
  if (entries.length === 0 && !allowEmpty) {
    return atServices('services is empty: that would stop everything; say so with --allow-empty if it is meant');
  }
  if (entries.length > limits.services) return atServices(`there may be at most ${limits.services} services`);
  const versions = entries.flatMap(([, service]) => Object.values(service.versions));
  const instances = versions.reduce((sum, { count }) => sum + count, 0);
  if (instances > limits.instances) {
    return atServices(`all counts together are ${instances}; at most ${limits.instances} are accepted`);
  }
  return [];
}

/** Who wants a route, and where a complaint about it belongs. */
interface RoutePlace {
  name: string;
  path: Path;
  route: string | undefined;
}

function placesOf(entries: readonly [string, ServiceShape][]): RoutePlace[] {
  return entries.map(([name, { route }]) => ({ name, path: ['services', name], route }));
}

/** Services that only other registries know. One that is in several comes once. */
function foreignPlaces(gateway: EnvironmentShape['gateway'], services: EnvironmentShape['services']): RoutePlace[] {
  const all = (gateway?.registries ?? []).flatMap((registry, index) =>
    Object.entries(registry.services).map(([name, { route }]): RoutePlace => {
      return { name, path: ['gateway', 'registries', index, 'services', name], route };
    }),
  );
  const first = new Map(all.reverse().map((place) => [place.name, place]));
  return [...first.values()].filter(({ name }) => !Object.hasOwn(services, name)).reverse();
}

function brokenRoutes(places: readonly RoutePlace[]): BrokenRule[] {
  const owners = new Map<string, string>();
  const broken: BrokenRule[] = [];
  for (const { name, path, route: given } of places) {
    const route = routeOf(name, { route: given });
    const complain = (message: string) => {
      if (given === undefined) broken.push({ path, on: 'key', message: `${message}; give it a route of its own` });
      else broken.push({ path: [...path, 'route'], on: 'value', message });
    };
    const own = gatewayPaths.find((reserved) => route === reserved || route.startsWith(`${reserved}/`));
    if (own !== undefined) complain(`route ${route} is taken: ${own} is the gateway's own`);
    const owner = owners.get(route);
    if (owner !== undefined) complain(`route ${route} is taken: service ${owner} has it`);
    else owners.set(route, name);
  }
  return broken;
}

function emptyVersions(name: string, service: ServiceShape): BrokenRule[] {
  if (Object.keys(service.versions).length > 0) return [];
  const message = 'versions is empty: that would stop the service; say so with --allow-empty if it is meant';
  return [{ path: ['services', name, 'versions'], on: 'key', message }];
}

function brokenWeights(name: string, service: ServiceShape): BrokenRule[] {
  const versions = Object.entries(service.versions);
  const path = ['services', name, 'versions'];
  if (versions.length > limits.versionsOfService) {
    return [{ path, on: 'key', message: `a service may have at most ${limits.versionsOfService} versions` }];
  }
  const weighted = versions.filter(([, { weight }]) => weight !== undefined);
  if (weighted.length === 0) return [];
  if (weighted.length < versions.length) {
    return versions
      .filter(([, { weight }]) => weight === undefined)
      .map(([version]) => ({
        path: [...path, version],
        on: 'key',
        message: 'weight is missing: give all versions of a service one, or none',
      }));
  }
  if (weighted.some(([, { weight }]) => weight !== 0)) return [];
  return [{ path, on: 'key', message: 'all weights are 0: no version would get a request' }];
}

function missingCommands(name: string, service: ServiceShape): BrokenRule[] {
  return Object.entries(service.versions).flatMap(([version, declared]) =>
    (['command', 'port'] as const)
      .filter((key) => declared[key] === undefined && service[key] === undefined)
      .map((key) => ({
        path: ['services', name, 'versions', version],
        on: 'key' as const,
        message: `${key} is missing: give it here, or on the service for all its versions`,
      })),
  );
}

function stuckRollout(name: string, { rollout }: ServiceShape): BrokenRule[] {
  const { surge, unavailable } = defaultRollout;
  if (rollout === undefined) return [];
  if (!leavesNoRoom({ surge: rollout.surge ?? surge, unavailable: rollout.unavailable ?? unavailable })) return [];
  const message = `surge and unavailable are both 0: nothing could ever move${rollout.unavailable === undefined ? ' (unavailable is 0 unless you say more)' : ''}`;
  return [{ path: ['services', name, 'rollout', 'surge'], on: 'value', message }];
}
