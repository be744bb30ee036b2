/**
 * What a leader remembers between sweeps, as a value. All of it may be lost with the leader: what must outlive it is in the
 * registry. Times are ms of a clock that never jumps, counted from when *this* leader first saw a thing, so that a wrong
 * wall clock expires nothing (fault 6); a successor waits anew, which is late but safe.
 */
import type { DesiredRecord, MachineRecord, MachineState } from '../../registrar/records.ts';
import { closedBreaker, type ImageBreaker } from '../../vm-factory/pool/image-breaker.ts';
import type { Claims } from '../../vm-factory/pool/pool-size.ts';
import { freshSlowStart, type SlowStart } from '../../vm-factory/pool/slow-start.ts';

/** Kinds of fact whose age matters; each is kept by key with the time it was first seen true without a break. */
export type FactKind = 'unserved' | 'agentless' | 'orphan' | 'lost' | 'unlisted' | 'destruction' | 'serving' | 'stage';

export interface FailedStarts {
  /** In a row. */
  failures: number;
  lastAt: number;
  lastReason: string;
}

export interface PlannerMemory {
  clusterId: string;
  termStartedAt: number;
  /** By how much the wall clock was ahead of our clock at this term's first look, ms; null before it. What the wall clock does later ages nothing. */
  wallAhead: number | null;
  /** P14: the quiet window of this term is over. */
  quietOver: boolean;
  /** Registrations and gateways as one comparable text, and since when it is the same; kept while the term is quiet. */
  view: { key: string; since: number };
  /** Highest generation seen: a registry that shows an older one was put back. */
  generation: number;
  /** P6. */
  lastWriteZxid: number;
  lastWriteAt: number;
  since: Readonly<Record<FactKind, ReadonlyMap<string, number>>>;
  /** By machine: its state in the ledger, and since when it is known to be in it. */
  states: ReadonlyMap<string, { state: MachineState; since: number }>;
  /** P3: most live instances of each service in each minute of the level's window. */
  levels: ReadonlyMap<string, readonly { minute: number; live: number }[]>;
  /** By version digest. */
  starts: ReadonlyMap<string, FailedStarts>;
  /** Machines whose failure is counted, in `starts` or in `images`. */
  counted: ReadonlySet<string>;
  /** P6: creations go 1, 2, 4, ... */
  slowStart: SlowStart;
  /** When a creation last went well. */
  createdAt: number;
  /** Images whose machines fail before they are ready. */
  images: ImageBreaker;
  destroyAskedAt: ReadonlyMap<string, number>;
  /** What earlier leaders left in /pool is taken in. */
  poolKnown: boolean;
  /** Demand: claims by minute. */
  claims: Claims;
  /** Time of the newest claim that is counted, ms since the Unix epoch. */
  countedTo: number;
  /** See PoolRecord. */
  lifted: number;
}

/** Memory at the start of a term. */
export function freshMemory(input: { clusterId: string; now: number }): PlannerMemory {
  const none: ReadonlyMap<string, number> = new Map();
  return {
    clusterId: input.clusterId,
    termStartedAt: input.now,
    wallAhead: null,
    quietOver: false,
    view: { key: '', since: input.now },
    generation: 0,
    lastWriteZxid: 0,
    lastWriteAt: input.now,
    states: new Map(),
    since: {
      unserved: none,
      agentless: none,
      orphan: none,
      lost: none,
      unlisted: none,
      destruction: none,
      serving: none,
      stage: none,
    },
    levels: new Map(),
    starts: new Map(),
    counted: new Set(),
    slowStart: freshSlowStart,
    createdAt: input.now,
    images: closedBreaker,
    destroyAskedAt: none,
    poolKnown: false,
    claims: [],
    countedTo: 0,
    lifted: 0,
  };
}

/** ms that a fact has been true as far as this leader knows; 0 for one it sees for the first time. */
export function ageOf(memory: PlannerMemory, kind: FactKind, key: string, now: number): number {
  return now - (memory.since[kind].get(key) ?? now);
}

/** ms that a machine is known to be in the state that it is in now. */
export function stateAge(memory: PlannerMemory, { uuid, state }: MachineRecord, now: number): number {
  const known = memory.states.get(uuid);
  return known?.state === state ? now - known.since : 0;
}

/** Whether the registry shows an older declaration than this leader has already seen (fault 20). */
export function wentBack(memory: PlannerMemory, desired: DesiredRecord): boolean {
  return desired.generation < memory.generation;
}

/** Keys of the destructions a budget holds: two at the same millisecond are two. */
export function destructionKeys(budget: string, destroyed: readonly number[]): string[] {
  const seen = new Map<number, number>();
  return destroyed.map((at) => {
    const rank = (seen.get(at) ?? 0) + 1;
    seen.set(at, rank);
    return `${budget}:${at}:${rank}`;
  });
}
