import type { AnswerVerdict, DocumentDoor } from '../document-source.ts';
import { type AnswersJob, compareAnswers } from './answers/compare-answers.ts';
import { compareDocuments } from './compat/compare-documents.ts';
import type { Finding } from './compat/finding.ts';
import { removedOperations } from './compat/removed-operations.ts';
import { withGatewaySecurity } from './gateway-security.ts';
import type { JsonObject } from './json.ts';
import type { LeftOut } from './namespace.ts';
import { type PackedFragment, packFragment } from './pack-fragment.ts';
import { parseDocument } from './parse-document.ts';
import { type PublishJob, publishDocument } from './publish-document.ts';
import { serviceFragment } from './service-fragment.ts';
import { writeFragmentJson, writeFragmentYaml } from './write-fragment.ts';

/** What is done off the event loop: everything whose cost grows with what a service wrote. */
export type Job =
  /** Parse, repair, validate and normalise a document as read. */
  | { kind: 'normalise'; bytes: Uint8Array }
  /** Make and write one service's fragment. Documents are normalised JSON. */
  | {
      kind: 'fragment';
      service: string;
      route: string;
      nested: string[];
      door?: DocumentDoor | undefined;
      versions: { version: string; document: Uint8Array }[];
    }
  /** Compare two normalised documents of a service for what can break its callers. */
  | { kind: 'compare'; route: string; live: Uint8Array; next: Uint8Array }
  /** Compare an answer with that to a copy of its request. */
  | AnswersJob
  /** Write what changed in the documents. */
  | PublishJob;

export interface JobResults {
  normalise: { document: Uint8Array; notes: string[] };
  fragment: MadeFragment;
  compare: { findings: Finding[]; removed: string[] };
  answers: AnswerVerdict;
  /** False: all parts must be sent. */
  publish: boolean;
}

export interface MadeFragment {
  written: PackedFragment;
  leftOut: LeftOut[];
  operations: number;
  /** What the service calls itself. */
  title: string;
}

/** Runs one job; rejects with what its steps throw. */
export async function runJob(job: Job): Promise<JobResults[Job['kind']]> {
  if (job.kind === 'publish') return publishDocument(job);
  if (job.kind === 'normalise') {
    // Validators and converters take most of a second to load, and only one of the threads needs them.
    const { repairAndNormalise } = await import('./repair.ts');
    const { document, notes } = await repairAndNormalise(parseDocument(job.bytes));
    return { document: new TextEncoder().encode(JSON.stringify(document)), notes };
  }
  if (job.kind === 'compare') {
    const [live, { route }] = [parsed(job.live), job];
    const findings = compareDocuments(live, parsed(job.next), { route });
    return { findings, removed: removedOperations(findings, live, route) };
  }
  if (job.kind === 'answers') return compareAnswers(job);
  const versions = job.versions.map(({ version, document }) => ({
    version,
    document: parsed(document),
  }));
  const fragment = withGatewaySecurity(serviceFragment(job.service, job.route, versions, job.nested), job, job.door);
  return {
    written: packFragment(writeFragmentJson(job.service, fragment), writeFragmentYaml(job.service, fragment)),
    leftOut: fragment.leftOut,
    operations: fragment.operations,
    title: String(fragment.tags[0]?.['x-displayName'] ?? job.service),
  };
}

function parsed(document: Uint8Array): JsonObject {
  return JSON.parse(new TextDecoder().decode(document)) as JsonObject;
}
