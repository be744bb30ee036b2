/** One foreign service's nodes to registrations as the routes take them. Pure. */
import type { ForeignNode } from '../../registrar/dialects/foreign.ts';
import { readForeignService } from '../../registrar/dialects/read-foreign.ts';
import type { Membership, MembershipNode } from '../../registrar/recipes/membership-state.ts';
import { nameOf } from '../../registrar/zookeeper/paths.ts';
import type { ForeignRegistry, ForeignService } from '../../specs/nouns.ts';
import { printable } from '../../specs/problems.ts';
import { leftOut } from '../left-out.ts';
import type { KnownInstance, LiveRegistration, Rejected } from '../routes/route-table.ts';

/** What a foreign service's path holds just now. */
export interface ForeignRegistrations {
  registrations: LiveRegistration[];
  rejected: Rejected[];
}

/** Bad nodes that are told one by one; a flood of them is told by number. */
const mostTold = 50;

/** Before each instance's path in tables and words: it tells the dialect, and where it is another ensemble's. */
export function pathPrefix({ dialect, connect }: ForeignRegistry): string {
  return connect === undefined ? `${dialect}:` : `${dialect}:${connect}`;
}

/** `before`: what was made of it last; registrations that say the same are the same objects again. */
export function foreignRegistrations(
  registry: ForeignRegistry,
  service: ForeignService,
  { nodes, unreadable }: Pick<Membership, 'nodes' | 'unreadable'>,
  before: readonly LiveRegistration[],
  options: { allowLoopback: boolean },
): ForeignRegistrations {
  const { path, endpoint } = service;
  const base = `${pathPrefix(registry)}${path}`;
  const children = [...nodes].filter(([of]) => of !== path);
  const { instances, rejected, surplus } = readForeignService(registry.dialect, children.map(asNode), {
    ...options,
    serviceName: nameOf(path),
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  const known = new Map(before.map((one) => [one.path, one]));
  const stats = new Map(children.map(([of, { stat }]) => [nameOf(of), stat]));
  const registrations = instances.map((instance): LiveRegistration => {
    const { node, label, address, port, says, weight } = instance;
    const stat = stats.get(node);
    const made: LiveRegistration = {
      path: printable(`${base}/${node}`).slice(0, 300),
      mzxid: stat?.mzxid ?? 0,
      record: {
        schema: 1,
        service: service.service,
        version: service.version,
        machine: label,
        address,
        port,
        state: says === '' ? 'up' : 'draining',
        ...(service.document === undefined ? {} : { document: service.document }),
        at: stat?.ctime ?? 0,
      },
      foreign: { dialect: registry.dialect, says, factor: weight },
    };
    const same = known.get(made.path);
    return same && JSON.stringify(same) === JSON.stringify(made) ? same : made;
  });
  const told = rejected.map(({ node, reason }) => leftOut(`${base}/${node}`, reason));
  const hidden = [...unreadable].map((of) => leftOut(`${pathPrefix(registry)}${of}`, 'the gateway may not read it'));
  return { registrations, rejected: bounded([...hidden, ...told], base, surplus) };
}

function asNode([path, { data, stat }]: [string, MembershipNode]): ForeignNode {
  return { name: nameOf(path), data, stat };
}

function bounded(rejected: Rejected[], base: string, surplus: number): Rejected[] {
  const more = rejected.length - mostTold;
  return [
    ...(surplus > 0 ? [{ path: base, reason: `${surplus} registrations beyond the oldest 1000 are left out` }] : []),
    ...rejected.slice(0, mostTold),
    ...(more > 0 ? [{ path: base, reason: `${more} more registrations are left out` }] : []),
  ];
}

/** Known instances of a service that could not be read yet since the gateway started: as good as registered until it is. */
export function carriedOver(known: readonly KnownInstance[], isUnread: (path: string) => boolean): LiveRegistration[] {
  return known.flatMap((instance) => {
    const { path, foreign, service, version, machine, address, port, document } = instance;
    if (!foreign || !isUnread(path)) return [];
    const made = carried.get(instance) ?? {
      path,
      mzxid: 0,
      record: {
        schema: 1 as const,
        ...{ service, version, machine, address, port, at: 0, state: 'up' as const },
        ...(document === null ? {} : { document }),
      },
      foreign,
    };
    carried.set(instance, made);
    return [made];
  });
}

const carried = new WeakMap<KnownInstance, LiveRegistration>();
