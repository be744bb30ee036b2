import type { JsonObject } from './json.ts';
import type { WrittenFragment } from './merge.ts';
import type { LeftOut } from './namespace.ts';
import { normaliseDocument } from './normalise.ts';
import { parseDocument } from './parse-document.ts';
import { serviceFragment } from './service-fragment.ts';
import { writeFragmentJson, writeFragmentYaml, writeYaml } from './write-fragment.ts';

/** What is done off the event loop: everything whose cost grows with what a service wrote. */
export type Job =
  /** Parse, validate and normalise a document as read. */
  | { kind: 'normalise'; bytes: Uint8Array }
  /** Make and write one service's fragment. Documents are normalised JSON. */
  | {
      kind: 'fragment';
      service: string;
      route: string;
      nested: string[];
      versions: { version: string; document: Uint8Array }[];
    }
  /** Write a value as YAML. */
  | { kind: 'yaml'; value: JsonObject };

export interface JobResults {
  normalise: { document: Uint8Array };
  fragment: { json: WrittenFragment; yaml: WrittenFragment; leftOut: LeftOut[]; operations: number };
  yaml: { text: string };
}

/** Runs one job; rejects with what its steps throw. */
export async function runJob(job: Job): Promise<JobResults[Job['kind']]> {
  if (job.kind === 'normalise') {
    const document = await normaliseDocument(parseDocument(job.bytes));
    return { document: new TextEncoder().encode(JSON.stringify(document)) };
  }
  if (job.kind === 'yaml') return { text: writeYaml(job.value) };
  const versions = job.versions.map(({ version, document }) => ({
    version,
    document: JSON.parse(new TextDecoder().decode(document)) as JsonObject,
  }));
  const fragment = serviceFragment(job.service, job.route, versions, job.nested);
  return {
    json: writeFragmentJson(job.service, fragment),
    yaml: writeFragmentYaml(job.service, fragment),
    leftOut: fragment.leftOut,
    operations: fragment.operations,
  };
}
