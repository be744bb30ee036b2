/** What a generation needs beside its routes, from the routes and the environment. Pure. */
import { McpError } from '../specs/errors.ts';
import type { Environment, Service } from '../specs/nouns.ts';
import type { DocumentDoor, DocumentInfo, DocumentTarget } from './document-source.ts';
import type { Route, RouteTable } from './routes/route-table.ts';

const defaultDrainMs = 30_000;

/** The live instances that get traffic and have a document. */
export function documentTargets(table: RouteTable): DocumentTarget[] {
  return table.routes.flatMap(({ document, prefix, service, instances }) =>
    document === null
      ? []
      : instances
          .filter(({ weight }) => weight > 0)
          .map(({ version, address, port, weight }) => ({
            service,
            version,
            address,
            port,
            path: document,
            route: prefix,
            weight,
          })),
  );
}

const counted = new WeakMap<Route, number>();

/** Instances of a route that get traffic. A route never changes, so they are counted once. */
export function routedInstances(route: Route): number {
  const known = counted.get(route);
  if (known !== undefined) return known;
  const count = route.instances.filter(({ weight }) => weight > 0).length;
  counted.set(route, count);
  return count;
}

/** What the document says of itself. */
export function documentInfo(environment: Environment | null): DocumentInfo {
  const { title = 'APIs', description = '', largestDocumentBytes: maxBytes } = environment?.gateway ?? {};
  const doors = Object.fromEntries((environment?.services ?? []).flatMap(documentDoor));
  return {
    ...{ title, description },
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(Object.keys(doors).length === 0 ? {} : { doors }),
  };
}

function documentDoor({ name, access, limits }: Service): [string, DocumentDoor][] {
  if (!access && !limits) return [];
  const door = {
    keyHeader: access?.apiKeys?.header ?? null,
    users: access?.basicFile !== undefined,
    certificate: access?.clientCertificate === 'required',
    bodies: limits?.bodyBytes !== undefined,
    rate: limits?.rate !== undefined,
  };
  return [[name, door]];
}

/** How long old workers may finish requests: the longest that any service asks for, ms. */
export function drainTimeout(environment: Environment | null): number {
  const services = environment?.services ?? [];
  return services.length === 0 ? defaultDrainMs : Math.max(...services.map(({ drainTimeoutMs }) => drainTimeoutMs));
}

/** Nobody takes a whole environment back: where it is gone the registry was wiped, and nothing of it is believed (P9). */
export function undeclared(): McpError {
  return new McpError('GATEWAY_UNDECLARED', 'the registry declares nothing any more: it may have been wiped', {
    hint: 'The last good configuration stays until an environment is declared.',
  });
}
