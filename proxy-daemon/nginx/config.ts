/**
 * The nginx configuration of one generation, as a tree in which `generationMark` stands for the generation's number: so two
 * generations are equal exactly if their texts are. Pure.
 *
 * The services are data, not locations: hash maps lead from the path to the service and its upstream, and one catch-all
 * location proxies. So a request costs the same with ten services as with ten thousand, and so does each line of nginx's
 * own location sorting, which is quadratic before nginx 1.25.3.
 */

import { daemonSocketPath } from '../explain/daemon-socket.ts';
import { type FrontDoor, noDoor } from '../front-door/front-door.ts';
import type { Route, RouteInstance, RouteTable } from '../routes/route-table.ts';
import { endpointOf } from '../routes/route-table.ts';
import { versionProblem } from '../routes/safe-values.ts';
import { accessLog, versionMap } from './access-log.ts';
import type { Argument, Directive } from './emit.ts';
import { block, directive, lasting, nginxText } from './emit.ts';
import { daemonUpstream } from './explain-locations.ts';
import { basics, clientParts, mainParts, type NginxSettings, proxyDefaults, requestMaps } from './http-parts.ts';
import { servers } from './listeners.ts';
import { sendingOn } from './location-parts.ts';
import type { GatewayPaths } from './paths.ts';
import { hashSizes, routeMaps, upstreamName } from './route-maps.ts';
import { securityMaps } from './security-headers.ts';
import { plainLocations, serverLocations } from './server-locations.ts';
import { doorMap, doorParts, strippedHeaders } from './service-doors.ts';

export function makeNginxConfig(table: RouteTable, settings: NginxSettings, door: FrontDoor = noDoor): Directive[] {
  return [...mainParts(settings), block('http', [], makeHttp(table, settings, door))];
}

type ByDoor = (door: FrontDoor) => readonly Directive[];
const madeParts = new WeakMap<GatewayPaths, { fixed: ByDoor; servers: ByDoor }>();
const upstreamOf = lasting((route: Route) => [makeUpstream(route)]);

/** A service without an instance that gets traffic has no upstream: nginx refuses an empty one. */
function isLive(route: Route): boolean {
  return route.instances.some(isRouted);
}

function isRouted({ weight }: RouteInstance): boolean {
  return weight > 0;
}

function makeHttp(table: RouteTable, settings: NginxSettings, door: FrontDoor): Directive[] {
  const live = table.routes.filter(isLive);
  return [
    ...hashSizes(table.routes.length),
    ...plainParts(settings).fixed(door),
    ...routeMaps(table.routes, isLive),
    ...live.flatMap(upstreamOf),
    ...versionMap(door, door.log ? instancesOf(live) : []),
    daemonUpstream(daemonSocketPath(settings.paths.dir)),
    ...plainParts(settings).servers(door),
  ];
}

function instancesOf(routes: readonly Route[]): { service: string; endpoint: string; version: string }[] {
  return routes.flatMap(({ service, instances }) =>
    instances
      .filter((one) => isRouted(one) && versionProblem(one.version) === '')
      .map((one) => ({ service, endpoint: endpointOf(one), version: one.version })),
  );
}

/** The same whatever is registered: made once for a door. */
function plainParts({ paths, listen, gzipStatic }: NginxSettings): { fixed: ByDoor; servers: ByDoor } {
  const known = madeParts.get(paths);
  if (known) return known;
  const open = [directive('listen', endpointOf(listen))];
  const made = {
    fixed: lasting((door: FrontDoor) => [
      ...basics(paths.temp, door.bodyBytes),
      ...(door.log ? accessLog(door, paths.accessLog, nginxText`$mcp_version`) : [directive('access_log', 'off')]),
      ...proxyDefaults(door, true),
      ...strippedHeaders(door, 'proxy'),
      directive('proxy_next_upstream_tries', 3),
      ...requestMaps(),
      ...clientParts(door),
      ...securityMaps(door),
      ...doorParts(door),
      ...doorMap(door),
    ]),
    servers: lasting((door: FrontDoor) =>
      servers({ address: listen.address, open, door }, (sendOnTo) => {
        const mode = plainLocations(paths, door);
        const proxied = sendOnTo === null ? mode.proxied : [sendingOn(sendOnTo)];
        return serverLocations(paths, gzipStatic, { ...mode, proxied }, door);
      }),
    ),
  };
  madeParts.set(paths, made);
  return made;
}

/** A backend is passed over for `fail_timeout` after so many failures in it; a service's only backend never is. */
const passiveCheck: Argument[] = ['max_fails=2', 'fail_timeout=2s'];

function makeUpstream(route: Route): Directive {
  return block(
    'upstream',
    [upstreamName(route.service)],
    [
      ...route.instances
        .filter(isRouted)
        .map((instance) => directive('server', endpointOf(instance), `weight=${instance.weight}`, ...passiveCheck)),
      directive('keepalive', 32),
      // Shorter than the 5 s after which a Node server closes an idle connection: whoever waits longer gets resets.
      directive('keepalive_timeout', '4s'),
    ],
  );
}
