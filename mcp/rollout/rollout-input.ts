/** What a rollout is judged by, as a value. */
import type { RolloutGate, RolloutRecord, VersionFigures } from '../../registrar/rollout-records.ts';
import type { Service, Version } from '../../specs/nouns.ts';
import { sameRun, shareCounts } from './sides.ts';

/** A machine that is claimed for the service, or an instance that registered by itself. */
export interface RolloutInstance {
  machine: string;
  version: string;
  digest: string;
  /** `failed`: for a reason that speaks against its version, and not merely lost. */
  state: 'live' | 'coming' | 'failed';
  /** ms that it has served without a break, as far as is known. */
  healthyMs: number;
  /** ms that it has been on its way. */
  waitingMs: number;
  /** What its agent says, with the last lines of its log where it ended. */
  reason: string;
}

/** What is known of the new version's document: compared, or why it is not yet. */
export type GateLook = { found: RolloutGate } | { waits: string };

export interface RolloutInput {
  record: RolloutRecord;
  /** As /desired declares it; null: not at all. */
  declared: Service | null;
  instances: readonly RolloutInstance[];
  /** The last rollouts of all services. */
  others: readonly RolloutRecord[];
  /** Machines that may still be made within the provider's quota once the pool is full; null: no quota. */
  room: number | null;
  /** Null: no gateway has any. */
  figures: readonly VersionFigures[] | null;
  /** Null: nobody compares the documents of this service. */
  gate: GateLook | null;
  /** ms that this leader knows the stage to have lasted (`stageKey`). */
  stageMs: number;
  /** ms since the Unix epoch, for what people read. */
  now: number;
}

export interface RolloutStep {
  /** As it is to be written; null: as it is. */
  record: RolloutRecord | null;
  /** What the service is to declare from now on, in the same write; null: what it does. */
  redeclare: Service | null;
  /** What it waits for, for people; empty: it moves, or is over. */
  waits: string;
}

/** One stage of a rollout: while it is the same, its age counts. */
export function stageKey({ operation, phase, goal, reached, waitedMs, hold }: RolloutRecord): string {
  return [operation, phase, goal, reached, waitedMs, hold?.at ?? ''].join(' ');
}

/** Still being worked on. */
export function isActive({ phase }: Pick<RolloutRecord, 'phase'>): boolean {
  return phase !== 'done' && phase !== 'reverted' && phase !== 'superseded';
}

/** Towards the new version, or on the way back. */
export function isForward({ phase }: Pick<RolloutRecord, 'phase'>): boolean {
  return isBefore({ phase }) || phase === 'canary' || phase === 'rolling' || phase === 'baking';
}

/** Nothing of the new version gets traffic that did not before. */
export function isBefore({ phase }: Pick<RolloutRecord, 'phase'>): boolean {
  return phase === 'waiting' || phase === 'checking';
}

/** Versions that leave: those of `from` that are not in `to`. */
export function leaving(from: readonly Version[], to: readonly Version[]): Version[] {
  return from.filter((version) => !to.some((other) => sameRun(version, other)));
}

/** Instances of a side that pass, no more of each version than its part of `total`. */
export function countOf(
  side: readonly Version[],
  total: number,
  instances: readonly RolloutInstance[],
  passes: (instance: RolloutInstance) => boolean,
): number {
  const most = shareCounts(side, total);
  return side.reduce((sum, version, at) => {
    const found = instances.filter((instance) => sameRun(instance, version) && passes(instance)).length;
    return sum + Math.min(found, most[at] ?? 0);
  }, 0);
}

/** All instances of a side that pass. */
export function instancesOf(side: readonly Version[], instances: readonly RolloutInstance[]): RolloutInstance[] {
  return instances.filter((instance) => side.some((version) => sameRun(instance, version)));
}
