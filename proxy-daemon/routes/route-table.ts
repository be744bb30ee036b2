/** The routes as one value: what the gateway should serve, and why each instance gets its share or none. Plain JSON. */
import type { RegistrationRecord } from '../../registrar/records.ts';
import type { ForeignDialect, ProxySpec } from '../../specs/nouns.ts';

/** What makes a registration one of somebody else's software. */
interface ForeignMark {
  dialect: ForeignDialect;
  /** Why it must get no new request, in its dialect's words; empty where it may. */
  says: string;
  /** Share of its version's traffic, relative to the version's other instances. */
  factor: number;
}

/** A valid registration as the registry holds it. */
export interface LiveRegistration {
  /** Its node; the identity of the instance. */
  path: string;
  record: RegistrationRecord;
  /** zxid of its last change. */
  mzxid: number;
  /** Absent for the native dialect. */
  foreign?: ForeignMark;
}

/** Something registered that is not routed to, with the reason for its registrar and for people. */
export interface Rejected {
  path: string;
  reason: string;
}

/**
 * `routed`: registered and gets traffic. `held`: vanished unannounced together with too many others, still answers, gets
 * traffic (P9). `lost`: vanished likewise, does not answer. `draining`: announced its leaving. `idle`: its version has weight 0.
 */
export type InstanceState = 'routed' | 'held' | 'lost' | 'draining' | 'idle';

export interface RouteInstance {
  path: string;
  machine: string;
  version: string;
  address: string;
  port: number;
  zone?: string;
  state: InstanceState;
  /** Relative to the route's other instances; 0: gets no traffic. */
  weight: number;
  /** Absent for the native dialect. */
  dialect?: ForeignDialect;
  /** Why it must get no new request, in its dialect's words. */
  says?: string;
}

interface RouteVersion {
  version: string;
  /** As declared; null: none declared, each instance counts alike. */
  weight: number | null;
  /** Of the route's traffic, 0 to 1. */
  share: number;
}

export interface Route {
  /** `/dns`, or `/` for everything no other route takes. */
  prefix: string;
  service: string;
  /** False: registered by a service that the environment does not declare. */
  declared: boolean;
  /** Path of the OpenAPI document at the instances, where the service has one. */
  document: string | null;
  versions: RouteVersion[];
  instances: RouteInstance[];
  /** How its instances are to be talked to, as far as the service says. */
  proxy?: ProxySpec;
  /** How long connections that last may go on at an instance that gets no new requests, ms. */
  drainTimeoutMs?: number;
  /** Why vanished instances are kept; empty while none is. */
  holding: string;
}

/** What is remembered of an instance between two tables, so that a loss can be told from a leaving. */
export interface KnownInstance {
  path: string;
  service: string;
  version: string;
  machine: string;
  address: string;
  port: number;
  document: string | null;
  zone?: string;
  /** Its service was declared when it was last seen. */
  declared: boolean;
  /** ms since the Unix epoch; null while it is registered. */
  missingSince: number | null;
  /** Absent for the native dialect. */
  foreign?: ForeignMark;
  /** zxid of the reading that it was first missing in; a release that speaks of it lets it go. */
  missingAsOf?: number;
}

export interface RouteTable {
  /** Longest prefix first, then by name. */
  routes: Route[];
  rejected: Rejected[];
  /** Why the table differs from what the registry says, in one line; empty where it does not. */
  holding: string;
  known: KnownInstance[];
}

export const emptyRouteTable: RouteTable = { routes: [], rejected: [], holding: '', known: [] };

/** Identity of a backend: two of one service with the same one are the same process. */
export function endpointOf(instance: { address: string; port: number }): string {
  return instance.address.includes(':')
    ? `[${instance.address}]:${instance.port}`
    : `${instance.address}:${instance.port}`;
}

/** Order of routes: longest prefix first, then by name. */
export function byPrefix(a: { prefix: string }, b: { prefix: string }): number {
  return b.prefix.length - a.prefix.length || byText(a.prefix, b.prefix);
}

/** Order of strings that is the same on every machine, whatever its locale. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
