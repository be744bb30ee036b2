/**
 * The seam between the daemon, which knows what should be served, and the way nginx is made to serve it: dynamic mode
 * (tables in nginx's memory, no reload) behind nginx/dynamic-backend.ts, or plain mode (generated files and reloads) behind
 * nginx/plain-backend.ts. test/conformance/gateway-backend.ts holds for both.
 */
import type { MergedDocument } from './document-source.ts';
import type { FrontDoor } from './front-door/front-door.ts';
import type { Moment } from './routes/explain/explain-instances.ts';
import type { RouteTable } from './routes/route-table.ts';
import type { TrafficReport } from './version-figures.ts';

/** Everything that a generation consists of. */
export interface Publication {
  table: RouteTable;
  document: MergedDocument;
  door: FrontDoor;
  /** Requests in flight on the generation before it are ended after this long, ms. */
  drainTimeoutMs: number;
}

/** How long the parts of one publication took, ms. */
export interface PublicationTimes {
  /** Rendering and writing, until nginx was told; without `testMs`. */
  ownMs: number;
  /** The proxy's own check of the candidate. */
  testMs: number;
  /** From telling nginx until nothing of an older generation takes new requests. */
  switchMs: number;
}

/** How much of nginx's memory for tables is in use, bytes. */
export interface TableUse {
  name: string;
  bytes: number;
  free: number;
}

/** An operation of a service, as instances see it: `DELETE /v1/zones/{zone}`. */
export interface WatchedOperation {
  service: string;
  operation: string;
}

export interface GatewayBackend {
  readonly mode: 'plain' | 'dynamic';
  /** Each publication costs a reload, so there must not be many. */
  readonly reloads: boolean;
  /**
   * Adopts the running proxy, or starts it with the last good configuration there is. Resolves with the generation served,
   * 0 where there is none yet: then nothing is listening until the first `publish`. `door`: the one that was served last.
   */
  start(door: FrontDoor): Promise<number>;
  /** The document served with the last good configuration, as found on disk at start; null where there is none. */
  lastDocument(): MergedDocument | null;
  /** True where publishing this would change nothing. */
  serves(publication: Publication): boolean;
  /**
   * Makes `generation` what is served; resolves when no new request goes to an older one. Rejects with an McpError if that
   * failed; then the generation before it stays served and on disk (P9). Not to be called again before it settled.
   */
  publish(generation: number, publication: Publication): Promise<PublicationTimes>;
  /** The oldest generation that may still have a request in flight that the ones after it would not have sent there. */
  oldestInFlight(): number;
  /** Old worker processes that still finish requests: each costs the memory of a configuration. */
  leaving(): number;
  /** Reloads since this was made. */
  reloadsDone(): number;
  /** Starts the proxy again with the last good configuration if it died. Resolves true if it had to. */
  revive(): Promise<boolean>;
  /** Counts what is in flight, where that is not known from processes. Never rejects. */
  observe(): Promise<void>;
  /** What was counted, not older than some seconds; null where this mode counts nothing. */
  traffic(): Promise<Omit<TrafficReport, 'gateway'> | null>;
  /** Calls of these operations are counted from now on, and of no others; a mode that counts nothing does not. */
  watch(operations: readonly WatchedOperation[]): void;
  /** What decides, beside the routes, where a request goes just now; null where this mode can't tell. Never rejects. */
  moment(): Promise<Moment | null>;
  /** Empty where this mode has no tables. */
  tables(): readonly TableUse[];
  /** What is amiss though traffic goes on, for people; empty where nothing is. */
  alarm(): string;
}
