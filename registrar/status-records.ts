/** What the leader tells people and the CLI. */
import type { WaitCause } from './wait-causes.ts';

/** A machine provider, and what people should know of it, by name: `accelerator: tcg`. */
export interface ProviderRecord {
  name: string;
  facts: Record<string, string>;
  /** Its quota, and how much of it machines take that are not in this ledger; absent: it has none, or none is known. */
  machines?: { limit: number; others: number };
  /** All its machines share the processors of one host. */
  sharedHost?: boolean;
  /** Of the host whose memory all its machines share, and of a machine without a declared flavor, bytes. */
  memory?: { host: number; machine: number };
  /** Declared images of which no machine can be made now, and why. */
  missingImages?: Record<string, string>;
}

/** A thing not done, and why. */
export interface WaitingRecord {
  /** For people: `dns@1.2.0`, `pool`, `machine 1b2c`, `rollout of dns`, `everything`. */
  what: string;
  why: string;
  /** Absent where the controller that said it is older than this list, or newer than the reader's. */
  cause?: WaitCause;
  /** Of what concerns one service, its versions or its rollout. */
  service?: string;
}

/** /status: what the leader last planned, for people and the CLI; written only when it changed. */
export interface StatusRecord {
  epoch: number;
  leader: string;
  generation: number | null;
  at: number;
  waiting: WaitingRecord[];
  alarms: { code: string; message: string }[];
  /** Where the leader's machines come from. */
  provider?: ProviderRecord;
}
