import { sha256 } from '../../specs/digest.ts';
import type { DocumentSourceState } from '../document-source.ts';
import type { Reading } from './document-reader.ts';
import type { FragmentCache, WrittenService } from './fragment-cache.ts';
import type { Head, SourceNote } from './merge.ts';
import type { LeftOut } from './namespace.ts';
import type { PlannedService } from './plan-services.ts';
import type { PublishedService } from './publish-document.ts';

export interface DescribedService {
  states: DocumentSourceState[];
  notes: SourceNote[];
  leftOut: LeftOut[];
  /** What is shown of it; absent where nothing can be. */
  published?: PublishedService;
}

interface Told {
  fragment: WrittenService | undefined;
  rest: string;
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
      const { service } = planned;
      const fragment = fragments.get(service);
      const failed = fragments.problem(service);
      const read = (version: string) => readingOf(service, version);
      const rest = JSON.stringify([failed, planned.versions.map(({ version }) => [version, toldOf(read(version))])]);
      const known = before.get(service);
      const same = known !== undefined && known.fragment === fragment && known.rest === rest;
      const described = same ? known.described : describeService(planned, fragment, failed, read);
      this.#told.set(service, { fragment, rest, described });
      return described;
    });
  }
}

function toldOf(reading: Reading | undefined): unknown {
  return reading && [reading.problem, reading.stale && (reading.good?.confirmedAt ?? true)];
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
  const described = { states, notes, leftOut };
  if (fragment === undefined) return described;
  const head: Head = { title: fragment.title, description: '', sources: notes, leftOut };
  const entry = {
    service,
    route,
    title: fragment.title,
    operations: fragment.operations,
    versions: notes.map(({ version, stale, readAt, problem, notes: repairs }) => ({
      version,
      stale,
      readAt,
      problem,
      notes: repairs,
    })),
    leftOut,
  };
  return {
    ...described,
    published: { digest: sha256(JSON.stringify([fragment.key, head])), head, entry, written: fragment.written },
  };
}
