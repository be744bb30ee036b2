import { isDeepStrictEqual } from 'node:util';
import { sha256 } from '../../specs/digest.ts';
import type { DocumentSourceState } from '../document-source.ts';
import { formNumber } from './document-files.ts';
import type { Reading } from './document-reader.ts';
import type { FragmentCache, WrittenService } from './fragment-cache.ts';
import type { SourceNote, Told as ToldOfService } from './merge.ts';
import type { LeftOut } from './namespace.ts';
import type { PlannedService } from './plan-services.ts';
import type { ServicePart } from './service-part.ts';

/** One service for the page that lists them: `services.json`. */
interface ServiceEntry {
  service: string;
  route: string;
  title: string;
  operations: number;
  versions: { version: string; stale: boolean; readAt: string; problem?: string; notes?: readonly string[] }[];
  leftOut: readonly LeftOut[];
}

export interface DescribedService {
  states: DocumentSourceState[];
  part: ServicePart;
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
  readonly #told = new Map<string, Told>();

  forget(service: string): void {
    this.#told.delete(service);
  }

  /** What was said of it last. */
  get(service: string): DescribedService | undefined {
    return this.#told.get(service)?.described;
  }

  /** Works out what is said of the service. True where that is something else than before. */
  describe(
    planned: PlannedService,
    fragments: FragmentCache,
    readingOf: (service: string, version: string) => Reading | undefined,
  ): boolean {
    const { service, versions } = planned;
    const fragment = fragments.get(service);
    const failed = fragments.problem(service);
    const readings = versions.flatMap(({ version }) => toldOf(readingOf(service, version)));
    const known = this.#told.get(service);
    const same =
      known?.fragment === fragment &&
      known?.failed === failed &&
      known?.planned === planned &&
      readings.every((part, index) => part === known?.readings[index]);
    if (known !== undefined && same) return false;
    const described = describeService(planned, fragment, failed, (version) => readingOf(service, version));
    // An instance that moved is told of only when its document has been read there.
    const isNews = known === undefined || !saysTheSame(described, known.described);
    this.#told.set(service, { planned, fragment, failed, readings, described: isNews ? described : known.described });
    return isNews;
  }
}

function saysTheSame(a: DescribedService, b: DescribedService): boolean {
  return a.part.digest === b.part.digest && isDeepStrictEqual(a.states, b.states);
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
  const told = toldPart(service, { sources: notes, leftOut });
  if (fragment === undefined) return { states, part: told, operations: 0 };
  const { title, operations, written, key } = fragment;
  const versionsTold = notes.map(({ version, stale, readAt, problem, notes: repairs }) => ({
    version,
    stale,
    readAt,
    problem,
    notes: repairs,
  }));
  const entry = JSON.stringify({
    service,
    route,
    title,
    operations,
    versions: versionsTold,
    leftOut,
  } satisfies ServiceEntry);
  const digest = sha256([told.digest, key, entry].join(' '));
  return { states, part: { ...told, digest, shown: { title, entry, written } }, operations };
}

/** The part of what is told alone; `service` is empty where it is of services that are not shown. */
export function toldPart(service: string, said: ToldOfService): ServicePart {
  const told = JSON.stringify(said);
  return { digest: sha256(`${formNumber} ${service} ${told}`), service, told, shown: null };
}
