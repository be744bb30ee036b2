/** What /status/explain answers. Plain JSON, nothing of it secret: it is told to whoever may see /status. */
import type { InstanceState, Rejected } from '../route-table.ts';

/** `instance`: it goes to one of them. `gateway`: answered without a service. `refused`: with `status`. */
type Outcome = { kind: 'instance' | 'gateway' | 'refused'; status: number | null; why: string };

/** `yes`: among those drawn from. `seldom`: it is new. `last`: only where no other is left. `no`: never. */
export type Chance = 'yes' | 'seldom' | 'last' | 'no';

export interface ExplainedInstance {
  version: string;
  endpoint: string;
  machine: string;
  zone: string | null;
  state: InstanceState;
  /** Null: this mode does not count. */
  inFlight: number | null;
  chance: Chance;
  why: string;
}

export interface ExplainedVersion {
  version: string;
  /** Of the route's requests, 0 to 1. */
  share: number;
  /** Null: none declared. */
  weight: number | null;
  why: string;
}

export interface Tries {
  protocol: 'http' | 'grpc';
  /** The first one among them. */
  most: number;
  /** Share of all requests that may be tried again, %; null: no bound. */
  budgetPercent: number | null;
  /** When another instance is tried. */
  when: string;
  connectMs: number;
  sendMs: number;
  readMs: number;
  /** An instance that fails twice is passed over for so long. */
  markDownMs: number;
}

export interface Explanation {
  gateway: string;
  /** ms since the Unix epoch. */
  at: number;
  mode: 'plain' | 'dynamic';
  modeReason: string;
  generation: number;
  environment: { name: string; generation: number } | null;
  method: string;
  asked: string;
  /** As routes are compared with it; null where it is no path. */
  path: string | null;
  outcome: Outcome;
  /** `rest`: the path that instances see; null where none is reached. */
  route: { prefix: string; service: string; declared: boolean; rest: string | null } | null;
  /** Other routes that come near, and why they are not it. */
  passedOver: { prefix: string; service: string; why: string }[];
  /** What is checked at the service's door, in this order. */
  door: string[];
  versions: ExplainedVersion[];
  /** What decides on the version beside the shares. */
  choice: string[];
  instances: ExplainedInstance[];
  /** Registrations of this service that are not believed. */
  leftOut: Rejected[];
  tries: Tries | null;
  notes: string[];
}
