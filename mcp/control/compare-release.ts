/** Compares the documents of two instances of a service: what callers of the live one meet at the next one. */
import { operationWords } from '../../proxy-daemon/document/compat/operation-side.ts';
import type { DocumentThread } from '../../proxy-daemon/document/document-thread.ts';
import { type FetchLimits, fetchDocument } from '../../proxy-daemon/document/fetch-document.ts';
import type { Clock } from '../../registrar/clock.ts';
import type { RegistrationRecord } from '../../registrar/records.ts';
import type { GateFinding, RolloutGate } from '../../registrar/rollout-records.ts';
import { isMcpError } from '../../specs/errors.ts';
import { compatibilityReport, type ReportedFinding, summaryOf } from '../view/compatibility-report.ts';

export interface Release {
  /** The service's route at the gateway. */
  route: string;
  /** Null: none serves that has a document. */
  live: RegistrationRecord | null;
  next: RegistrationRecord;
  limits: FetchLimits;
}

export interface CompareContext {
  clock: Clock;
  thread: DocumentThread;
  signal: AbortSignal;
}

/** A document that can't be read is tried again for so long, ms. */
const patienceMs = 15_000;
const againMs = 1_000;
/** A rollout's record is read with every look at the registry. */
const most = { findings: 20, operations: 3, watched: 20 };

/**
 * What the new version does to callers. A new document that can't be read is breaking: the merged document would lack it. An
 * old one that can't be read is nobody's promise. Errors: the signal's reason.
 */
export async function compareRelease(
  { route, live, next, limits }: Release,
  context: CompareContext,
): Promise<RolloutGate> {
  const { clock, thread, signal } = context;
  const [before, after] = await Promise.all([live && read(live, limits, context), read(next, limits, context)]);
  signal.throwIfAborted();
  const at = clock.now();
  if ('problem' in after) {
    const words = `the document of ${next.version} can't be read: ${after.problem}`;
    return { at, verdict: 'breaking', words, findings: [{ severity: 'breaking', words, operations: [] }], leftOut: 0 };
  }
  if (!live || !before || 'problem' in before) {
    const why =
      before && 'problem' in before
        ? `that of ${live?.version} can't be read: ${before.problem}`
        : 'no instance that serves has one';
    return {
      at,
      verdict: 'skipped',
      words: `the document of ${next.version} is compared with none: ${why}`,
      findings: [],
      leftOut: 0,
    };
  }
  const both = `the documents of ${live.version} and ${next.version}`;
  try {
    const job = { kind: 'compare', route, live: before.document, next: after.document } as const;
    const { findings, removed } = await thread.run(job);
    const subject = { service: next.service, live: live.version, next: next.version };
    const report = compatibilityReport(findings, subject, most);
    const { verdict, leftOut } = report;
    const watched = removed.slice(0, most.watched);
    return {
      at,
      verdict,
      words: `${both}: ${summaryOf(report)}`,
      findings: report.findings.map(listed),
      leftOut,
      ...(watched.length > 0 ? { watched } : {}),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!isMcpError(error)) throw error;
    return { at, verdict: 'risky', words: `${both} can't be compared: ${error.message}`, findings: [], leftOut: 0 };
  }
}

function listed({ severity, words, where: { operations }, operationsLeftOut }: ReportedFinding): GateFinding {
  const more = operationsLeftOut > 0 ? [`${operationsLeftOut} more`] : [];
  return { severity, words, operations: [...operations.map(operationWords), ...more] };
}

async function read(
  { address, port, document: path = '' }: RegistrationRecord,
  limits: FetchLimits,
  { clock, thread, signal }: CompareContext,
): Promise<{ document: Uint8Array } | { problem: string }> {
  const until = clock.monotonic() + patienceMs;
  for (;;) {
    try {
      const { bytes } = await fetchDocument({ address, port, path }, limits, signal);
      return await thread.run({ kind: 'normalise', bytes });
    } catch (error) {
      signal.throwIfAborted();
      if (!isMcpError(error)) throw error;
      if (!error.retryable || clock.monotonic() > until) return { problem: error.message };
    }
    await clock.sleep(againMs, signal);
  }
}
