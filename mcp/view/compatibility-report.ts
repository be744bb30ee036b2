/**
 * What a change of version does to callers, as people and `--json` are told: the findings of comparing two documents, bounded. Pure.
 */
import type { Finding, Severity } from '../../proxy-daemon/document/compat/finding.ts';

export interface ReportedFinding extends Finding {
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
}

/** The most that is listed: of findings, and of operations of each. */
interface ReportBounds {
  findings: number;
  operations: number;
}

const forPeople: ReportBounds = { findings: 60, operations: 10 };

/** The report of findings as compareDocuments orders them. */
export function compatibilityReport(
  findings: readonly Finding[],
  subject: ReportSubject,
  most: ReportBounds = forPeople,
): CompatibilityReport {
  const counts: Record<Severity, number> = { breaking: 0, risky: 0, safe: 0 };
  for (const { severity } of findings) counts[severity]++;
  const { service, live, next } = subject;
  return {
    service,
    live,
    next,
    verdict: counts.breaking > 0 ? 'breaking' : counts.risky > 0 ? 'risky' : 'safe',
    counts,
    findings: findings.slice(0, most.findings).map((found) => reported(found, most.operations)),
    leftOut: Math.max(0, findings.length - most.findings),
  };
}

function reported(found: Finding, mostOperations: number): ReportedFinding {
  const { operations, ...place } = found.where;
  return {
    ...found,
    where: { ...place, operations: operations.slice(0, mostOperations) },
    operationsLeftOut: Math.max(0, operations.length - mostOperations),
  };
}

/** One line on the whole: `3 changes break callers, 1 change may break callers`. */
export function summaryOf({ verdict, counts }: CompatibilityReport): string {
  if (counts.breaking + counts.risky + counts.safe === 0) return 'nothing changed for callers';
  if (verdict === 'safe') return `${changes(counts.safe)} for callers, all safe`;
  const parts = [
    ...(counts.breaking > 0
      ? [`${changes(counts.breaking)} ${counts.breaking === 1 ? 'breaks' : 'break'} callers`]
      : []),
    ...(counts.risky > 0 ? [`${changes(counts.risky)} may break callers`] : []),
  ];
  return parts.join(', ');
}

function changes(count: number): string {
  return count === 1 ? '1 change' : `${count} changes`;
}
