/** What /status.json says and /status shows. Plain JSON. */
import type { ForeignWord, GatewayMark } from '../registrar/records.ts';
import type { DocumentSourceState } from './document-source.ts';
import type { TlsWord } from './front-door/front-door.ts';
import type { TableUse } from './gateway-backend.ts';
import type { DoorWord } from './routes/explain/explain-door.ts';
import type { RolloutWord } from './routes/explain/explain-versions.ts';
import type { Rejected, Route } from './routes/route-table.ts';

/** One publication, for people and for `bench route`. All in ms. */
export interface PublicationReport {
  generation: number;
  /** ms since the Unix epoch. */
  at: number;
  /** From the event to the signal to nginx, without waiting for the reload interval and without nginx's own check. */
  ownMs: number;
  testMs: number;
  switchMs: number;
  /** Waited because the last reload was less than the reload interval ago. */
  waitedMs: number;
}

export interface StatusReport {
  gateway: string;
  url: string;
  mode: 'plain' | 'dynamic';
  /** Why this mode. */
  modeReason: string;
  pid: number;
  /** ms since the Unix epoch: when this was written, and since when the daemon runs. */
  at: number;
  startedAt: number;
  served: GatewayMark;
  drained: GatewayMark;
  /** Of the environment that the routes were made from; null where nothing is declared. */
  environment: { name: string; generation: number } | null;
  registry: { connected: boolean; since: number; reason: string };
  /** Why the routes are not what the registry says (P9); empty where they are. */
  holding: string;
  /** Why what should be served is not; empty where it is. */
  problem: string;
  /** What is amiss though everything is served; empty where nothing is. */
  alarm: string;
  /** Null: HTTP alone. */
  tls: TlsWord | null;
  /** nginx's memory for tables; none in plain mode. */
  tables: readonly TableUse[];
  routes: Route[];
  rejected: Rejected[];
  /** Services of other registries; absent where none are declared. */
  foreign?: ForeignWord[];
  document: { digest: string; operations: number; sources: readonly DocumentSourceState[] };
  /** The newest last, at most 20. */
  publications: PublicationReport[];
  /** Times that nginx had died and was started again. */
  revivals: number;
  /** Reloads of nginx since the daemon started. */
  reloads: number;
  /** Of the services that have one. */
  doors: readonly DoorWord[];
  /** Rollouts that set weights, or keep versions for undo. */
  rollouts: readonly RolloutState[];
}

export interface RolloutState extends RolloutWord {
  service: string;
}
