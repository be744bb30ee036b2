import { sha256 } from '../../specs/digest.ts';
import type { DocumentSourceState } from '../document-source.ts';
import type { Reading } from './document-reader.ts';
import type { FragmentCache, WrittenService } from './fragment-cache.ts';
import type { Head, SourceNote } from './merge.ts';
import type { LeftOut } from './namespace.ts';
import type { PlannedService } from './plan-services.ts';
import type { PublishedService } from './publish-document.ts';

/** One service for the page that lists them: `services.json`. */
interface ServiceEntry {
  service: string;
  route: string;
  title: string;
  operations: number;
  versions: { version: string; stale: boolean; readAt: string; problem?: string; notes?: readonly string[] }[];
  leftOut: Head['leftOut'];
}

export interface DescribedService {
  states: DocumentSourceState[];
  notes: SourceNote[];
  leftOut: LeftOut[];
  /** What is shown of it; absent where nothing can be. */
  published?: PublishedService;
  operations: number;
}

interface Told {
  planned: PlannedService;
  fragment: WrittenService | undefined;
  failed: string | undefined;
  readings: unknown[];
  described: DescribedService;
}

/** What is said of each service, worked out anew only where something it follows from changed. */
export class ServiceDescriptions {
  #told = new Map<string, Told>();

  /** Describes all services that there are, in order. */
  describe(
    services: readonly PlannedService[],
    fragments: FragmentCache,
    readingOf: (service: string, version: string) => Reading | undefined,
  ): DescribedService[] {
    const before = this.#told;
    this.#told = new Map();
    return services.map((planned) => {
      const { service, versions } = planned;
      const fragment = fragments.get(service);
      const failed = fragments.problem(service);
      const readings = versions.flatMap(({ version }) => toldOf(readingOf(service, version)));
      let known = before.get(service);
      const same =
        known?.fragment === fragment &&
        known?.failed === failed &&
        known?.planned === planned &&
        readings.every((part, index) => part === known?.readings[index]);
      if (known === undefined || !same) {
        const described = describeService(planned, fragment, failed, (version) => readingOf(service, version));
        known = { planned, fragment, failed, readings, described };
      }
      this.#told.set(service, known);
      return known.described;
    });
  }
}

/** What of a reading is told to people. */
function toldOf(reading: Reading | undefined): unknown[] {
  const confirmedAt = reading?.stale ? reading.good?.confirmedAt : undefined;
  return [reading === undefined, reading?.problem, reading?.stale, confirmedAt];
}

/** What is said of one service: where its part comes from, whether that is stale, what is missing and why. */
function describeService(
  { service, route, versions }: PlannedService,
  fragment: WrittenService | undefined,
  failed: string | undefined,
  readingOf: (version: string) => Reading | undefined,
): DescribedService {
  const states: DocumentSourceState[] = [];
  const notes: SourceNote[] = [];
  const leftOut: LeftOut[] = [...(fragment?.leftOut ?? [])];
  for (const { version } of versions) {
    const reading = readingOf(version);
    const problem = failed ?? (reading?.problem || 'not read yet');
    // What is said of a document is said of the one shown, also while a newer one is being worked on.
    const good = fragment?.madeFrom.get(version);
    if (!good || !reading) {
      states.push({ service, version, state: 'missing', problem });
      leftOut.push({ service, version, reason: `no document: ${problem}` });
      continue;
    }
    const stale = reading.stale || failed !== undefined;
    const { digest, from, readAt, confirmedAt } = good;
    states.push({
      service,
      version,
      state: stale ? 'stale' : 'fresh',
      digest,
      readAt,
      from,
      problem: stale ? problem : '',
    });
    const note: SourceNote = { service, version, route, digest, from, readAt: new Date(readAt).toISOString(), stale };
    if (good.notes.length > 0) note.notes = good.notes;
    notes.push(stale ? { ...note, problem, confirmedAt: new Date(confirmedAt).toISOString() } : note);
  }
  const described = { states, notes, leftOut, operations: fragment?.operations ?? 0 };
  if (fragment === undefined) return described;
  const { title, operations, written, key } = fragment;
  const head = JSON.stringify({ title, description: '', sources: notes, leftOut } satisfies Head);
  const told = notes.map(({ version, stale, readAt, problem, notes: repairs }) => ({
    version,
    stale,
    readAt,
    problem,
    notes: repairs,
  }));
  const entry = JSON.stringify({ service, route, title, operations, versions: told, leftOut } satisfies ServiceEntry);
  return { ...described, published: { digest: sha256(`${key} ${head}`), service, head, entry, written } };
}
