/** What of a leader's memory of the pool outlives it, in /pool: failures in a row, and claims. */
import type { DesiredRecord, FailureCount, PoolRecord } from '../../registrar/records.ts';
import type { PoolSpec } from '../../specs/nouns.ts';
import { countClaim, type PoolSize, poolSize } from '../../vm-factory/pool/pool-size.ts';
import type { PlannerMemory } from './memory.ts';
import type { Snapshot } from './snapshot.ts';
import type { World } from './world.ts';

/** Reasons are for people, and the node is small. */
const longestReason = 500;

/** A registry in which no pool was kept yet. */
export const emptyPoolRecord: PoolRecord = {
  images: {},
  starts: {},
  counted: [],
  claims: [],
  countedTo: 0,
  lifted: 0,
};

/**
 * Takes in what earlier leaders knew, once a term, and that an operator has forgiven all failures, whenever that was. Failures of
 * earlier terms count as just now: their cooldown starts anew.
 */
export function recallPool(memory: PlannerMemory, { pool }: Snapshot, now: number): PlannerMemory {
  const record = pool?.record ?? emptyPoolRecord;
  if (!memory.poolKnown) {
    const images = Object.entries(record.images).map(([name, known]) => [name, { ...known, lastAt: now }] as const);
    const starts = Object.entries(record.starts).map(
      ([digest, { inARow, lastReason }]) => [digest, { failures: inARow, lastReason, lastAt: now }] as const,
    );
    const { claims, countedTo, lifted } = record;
    const counted = new Set([...memory.counted, ...record.counted]);
    const known = { images: new Map(images), starts: new Map(starts), counted, claims, countedTo, lifted };
    return { ...memory, ...known, poolKnown: true };
  }
  if (record.lifted <= memory.lifted) return memory;
  return { ...memory, images: new Map(), starts: new Map(), lifted: record.lifted };
}

/** Counts the claims that are new in the ledger. */
export function rememberClaims(memory: PlannerMemory, world: World): Pick<PlannerMemory, 'claims' | 'countedTo'> {
  let { claims, countedTo } = memory;
  for (const { ledger } of world.units) {
    const at = ledger.claim?.at ?? 0;
    if (at <= memory.countedTo) continue;
    claims = countClaim(claims, at);
    countedTo = Math.max(countedTo, at);
  }
  return { claims, countedTo };
}

/** What an operator writes who wants everything to be tried again. */
export function forgiveFailures(record: PoolRecord | null): PoolRecord {
  const known = record ?? emptyPoolRecord;
  return { ...known, images: {}, starts: {}, lifted: known.lifted + 1 };
}

/** What /pool shall hold now, at ms since the Unix epoch. Versions that are not declared any more are forgotten. */
export function poolRecordOf(memory: PlannerMemory, desired: DesiredRecord, at: number): PoolRecord {
  const { pool } = desired.environment;
  const versions = desired.environment.services.flatMap((service) => service.versions);
  const declared = new Set(versions.map(({ digest }) => digest));
  const starts = [...memory.starts].filter(([digest]) => declared.has(digest));
  return {
    images: Object.fromEntries(
      [...memory.images].map(([name, { inARow, lastReason }]) => [name, count(inARow, lastReason)]),
    ),
    starts: Object.fromEntries(
      starts.map(([digest, { failures, lastReason }]) => [digest, count(failures, lastReason)]),
    ),
    counted: [...memory.counted].sort(),
    claims: memory.claims.map(([minute, claims]) => [minute, claims]),
    countedTo: memory.countedTo,
    lifted: memory.lifted,
    ...(pool.demand && { size: poolSize(pool, memory.claims, at) }),
  };
}

/** The pool's size as the leader last found it, or as declared. */
export function knownPoolSize(pool: PoolSpec | undefined, record: PoolRecord | null): PoolSize {
  if (pool?.demand && record?.size) return record.size;
  return { target: pool?.size ?? 0, why: pool?.demand ? 'the least, until demand is known' : 'as declared' };
}

function count(inARow: number, reason: string): FailureCount {
  return { inARow, lastReason: reason.slice(0, longestReason) };
}
