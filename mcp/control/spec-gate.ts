/**
 * The spec gate of a rollout: the document of a new version's first instance, which gets no traffic yet, against that of the live
 * version. What breaks callers stops the rollout, unless somebody said with a reason that it may.
 */
import type { DocumentThread } from '../../proxy-daemon/document/document-thread.ts';
import { defaultLimits, type FetchLimits, fetchDocument } from '../../proxy-daemon/document/fetch-document.ts';
import type { RegistrationRecord } from '../../registrar/records.ts';
import { isMcpError, McpError } from '../../specs/errors.ts';
import {
  type CompatibilityReport,
  compatibilityReport,
  type OperationCalls,
  summaryOf,
} from '../view/compatibility-report.ts';

type Instance = Pick<RegistrationRecord, 'address' | 'port' | 'document' | 'version'>;

export interface GateSubject {
  service: string;
  /** The service's route at the gateway. */
  route: string;
  /** Live instances of the version that runs. */
  live: readonly Instance[];
  /** Instances of the new version. */
  next: readonly Instance[];
  /** Null: nobody counts calls. */
  calls: readonly OperationCalls[] | null;
  /** Why breaking changes may go on; null: they may not. */
  allowBreaking: string | null;
}

/** `wait`: documents can't be read for now; asking again may help. */
export interface GateVerdict {
  verdict: 'go' | 'stop' | 'wait';
  why: string;
  report: CompatibilityReport | null;
}

export interface GateTools {
  thread: DocumentThread;
  limits?: FetchLimits;
  signal?: AbortSignal;
}

/**
 * Reads an instance's document, whatever its share of traffic, and normalises it.
 *
 * Throws what fetchDocument throws, and DOCUMENT_* of reading and normalising.
 */
async function readCandidateDocument(instance: Instance, tools: GateTools): Promise<Uint8Array> {
  const { address, port, document: path } = instance;
  if (path === undefined) {
    throw new McpError('DOCUMENT_BAD_TARGET', `${instance.version} serves no document`, {
      hint: 'Declare the path of its document in the environment.',
    });
  }
  const { bytes } = await fetchDocument({ address, port, path }, tools.limits ?? defaultLimits, tools.signal);
  return (await tools.thread.run({ kind: 'normalise', bytes })).document;
}

/** The verdict on a new version. Never throws for what instances serve; rejects only where `signal` ends it. */
export async function checkSpec(subject: GateSubject, tools: GateTools): Promise<GateVerdict> {
  const live = await readAny(subject.live, tools);
  if (live.kind === 'none') return { verdict: 'go', why: 'what runs serves no document to compare with', report: null };
  if (live.kind === 'later')
    return { verdict: 'wait', why: `the live document can't be read: ${live.why}`, report: null };
  if (live.kind === 'never') {
    return { verdict: 'go', why: `the live document is unusable, so nothing is compared: ${live.why}`, report: null };
  }
  const next = await readAny(subject.next, tools);
  if (next.kind === 'later')
    return { verdict: 'wait', why: `the new document can't be read: ${next.why}`, report: null };
  if (next.kind !== 'read') {
    const why =
      next.kind === 'none'
        ? 'the new version serves no document any more'
        : `the new document is unusable: ${next.why}`;
    return judged('breaking', why, subject, null);
  }
  try {
    const { route } = subject;
    const { findings } = await tools.thread.run({ kind: 'compare', route, live: live.document, next: next.document });
    const report = compatibilityReport(findings, {
      service: subject.service,
      live: live.version,
      next: next.version,
      calls: subject.calls,
    });
    return judged(report.verdict, summaryOf(report), subject, report);
  } catch (error) {
    tools.signal?.throwIfAborted();
    return judged('breaking', `the documents can't be compared: ${wordsOf(error)}`, subject, null);
  }
}

function judged(
  severity: CompatibilityReport['verdict'],
  why: string,
  { allowBreaking }: GateSubject,
  report: CompatibilityReport | null,
): GateVerdict {
  if (severity !== 'breaking') return { verdict: 'go', why, report };
  if (allowBreaking === null) return { verdict: 'stop', why, report };
  return { verdict: 'go', why: `${why}; allowed: ${allowBreaking}`, report };
}

type Read =
  | { kind: 'read'; version: string; document: Uint8Array }
  | { kind: 'none' }
  | { kind: 'later'; why: string }
  | { kind: 'never'; why: string };

/** The first document that can be read; instances of one version serve the same one. */
async function readAny(instances: readonly Instance[], tools: GateTools): Promise<Read> {
  const serving = instances.filter(({ document }) => document !== undefined);
  if (serving.length === 0)
    return instances.length === 0 ? { kind: 'later', why: 'no instance is there' } : { kind: 'none' };
  let last: Read = { kind: 'none' };
  for (const instance of serving.slice(0, 3)) {
    try {
      return { kind: 'read', version: instance.version, document: await readCandidateDocument(instance, tools) };
    } catch (error) {
      tools.signal?.throwIfAborted();
      last = { kind: isMcpError(error) && error.retryable ? 'later' : 'never', why: wordsOf(error) };
    }
  }
  return last;
}

function wordsOf(error: unknown): string {
  return isMcpError(error) ? `${error.code}: ${error.message}` : (error as Error).message;
}
