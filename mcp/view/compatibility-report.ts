/**
 * What a change of version does to callers, as people and `--json` are told: the findings of comparing two documents, bounded so
 * that a rollout's record can hold them, with whether what breaks is still being called. Pure.
 */
import type { Finding, OperationName, Severity } from '../../proxy-daemon/document/compat/finding.ts';

/** How often an operation was called, as the gateways counted. */
export interface OperationCalls {
  service: string;
  /** In any case. */
  method: string;
  /** As the service's own document writes it; the names of path parameters don't count. */
  pathTemplate: string;
  calls: number;
  /** ms since the Unix epoch. */
  lastCalledAt?: number;
}

export interface ReportedFinding extends Finding {
  /** Calls of all operations that meet it; null where nobody counted. */
  calls: { calls: number; lastCalledAt: number | null } | null;
  /** Operations that are not listed in `where`. */
  operationsLeftOut: number;
}

export interface CompatibilityReport {
  service: string;
  /** Versions. */
  live: string;
  next: string;
  /** The worst finding's severity; `safe` also where nothing changed. */
  verdict: Severity;
  counts: Record<Severity, number>;
  /** The worst first. */
  findings: ReportedFinding[];
  /** Findings that are not listed. */
  leftOut: number;
}

export interface ReportSubject {
  service: string;
  live: string;
  next: string;
  /** Null: nobody counts. An operation that is missing in a list was not called. */
  calls: readonly OperationCalls[] | null;
}

/** So much of a report stays well under what a node of the registry may hold. */
const mostFindings = 60;
const mostOperations = 10;

/** The report of findings as compareDocuments orders them. */
export function compatibilityReport(findings: readonly Finding[], subject: ReportSubject): CompatibilityReport {
  const counts: Record<Severity, number> = { breaking: 0, risky: 0, safe: 0 };
  for (const { severity } of findings) counts[severity]++;
  const { service, live, next, calls } = subject;
  const counted = calls && countsOf(service, calls);
  return {
    service,
    live,
    next,
    verdict: counts.breaking > 0 ? 'breaking' : counts.risky > 0 ? 'risky' : 'safe',
    counts,
    findings: findings.slice(0, mostFindings).map((found) => reported(found, counted)),
    leftOut: Math.max(0, findings.length - mostFindings),
  };
}

function countsOf(service: string, calls: readonly OperationCalls[]): Map<string, OperationCalls[]> {
  const counted = new Map<string, OperationCalls[]>();
  for (const each of calls) {
    if (each.service !== service) continue;
    const key = keyOf({ method: each.method, path: each.pathTemplate });
    counted.set(key, [...(counted.get(key) ?? []), each]);
  }
  return counted;
}

function keyOf({ method, path }: OperationName): string {
  return `${method.toLowerCase()} ${path.replace(/\{[^{}]*\}/g, '{}')}`;
}

function reported(found: Finding, counted: ReadonlyMap<string, OperationCalls[]> | null): ReportedFinding {
  const { operations, ...place } = found.where;
  const all = counted && operations.flatMap((operation) => counted.get(keyOf(operation)) ?? []);
  const lastCalledAt = all && Math.max(-1, ...all.flatMap((each) => each.lastCalledAt ?? []));
  return {
    ...found,
    where: { ...place, operations: operations.slice(0, mostOperations) },
    calls: all && {
      calls: all.reduce((sum, { calls }) => sum + calls, 0),
      lastCalledAt: lastCalledAt === null || lastCalledAt < 0 ? null : lastCalledAt,
    },
    operationsLeftOut: Math.max(0, operations.length - mostOperations),
  };
}

/** One line on the whole: `3 changes break callers, 1 may; 2 of them are still being called`. */
export function summaryOf({ verdict, counts, findings }: CompatibilityReport): string {
  if (counts.breaking + counts.risky + counts.safe === 0) return 'nothing changed for callers';
  if (verdict === 'safe') return `${changes(counts.safe)} for callers, all safe`;
  const parts = [
    ...(counts.breaking > 0
      ? [`${changes(counts.breaking)} ${counts.breaking === 1 ? 'breaks' : 'break'} callers`]
      : []),
    ...(counts.risky > 0 ? [`${changes(counts.risky)} may break callers`] : []),
  ].join(', ');
  const breaking = findings.filter(({ severity }) => severity === 'breaking');
  const called = breaking.filter(({ calls }) => calls !== null && calls.calls > 0).length;
  if (breaking.length === 0 || breaking.every(({ calls }) => calls === null)) return parts;
  return called === 0
    ? `${parts}; no request met what breaks`
    : `${parts}; requests still meet ${called} of what breaks`;
}

function changes(count: number): string {
  return count === 1 ? '1 change' : `${count} changes`;
}
