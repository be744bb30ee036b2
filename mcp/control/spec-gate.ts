/**
 * Reads what the spec gate judges by: the document of a rollout's first new instance and that of one that serves, each from the
 * instance itself, compared off the event loop. A sweep never waits for it; what is found rings the bell.
 */

import { DocumentThread } from '../../proxy-daemon/document/document-thread.ts';
import { defaultLimits, type FetchLimits } from '../../proxy-daemon/document/fetch-document.ts';
import type { Clock } from '../../registrar/clock.ts';
import type { RolloutGate, RolloutRecord } from '../../registrar/rollout-records.ts';
import type { Version } from '../../specs/nouns.ts';
import type { ObservedRegistration, Snapshot } from '../plan/snapshot.ts';
import { type GateLook, leaving } from '../rollout/rollout-input.ts';
import { namesOf, sameRun } from '../rollout/sides.ts';
import { needsGate } from '../rollout/spec-gate.ts';
import { compareRelease } from './compare-release.ts';

/** A comparison under way or done, of one rollout. */
interface Looking {
  found: RolloutGate | null;
  over: AbortController;
}

export class SpecGate {
  readonly #clock: Clock;
  readonly #thread = new DocumentThread();
  /** By operation of the rollout. */
  readonly #looking = new Map<string, Looking>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What is known now of each service that is checked; begins what is not begun. `news` is called when more is known. */
  look(snapshot: Snapshot, rollouts: readonly RolloutRecord[], news: () => void): Map<string, GateLook> {
    const checked = rollouts.filter((record) => record.phase === 'checking' && needsGate(record));
    const operations = new Set(checked.map(({ operation }) => operation));
    for (const [operation, { over }] of this.#looking) {
      if (operations.has(operation)) continue;
      over.abort();
      this.#looking.delete(operation);
    }
    const looks = new Map<string, GateLook>();
    for (const record of checked) {
      const look = this.#lookAt(snapshot, record, news);
      if (look) looks.set(record.service, look);
    }
    return looks;
  }

  async close(): Promise<void> {
    for (const { over } of this.#looking.values()) over.abort();
    await this.#thread.close();
  }

  /** Null: a service without a document has nothing to compare. */
  #lookAt(snapshot: Snapshot, record: RolloutRecord, news: () => void): GateLook | null {
    const { service, operation, from, to } = record;
    const { environment } = snapshot.desired?.record ?? {};
    const declared = environment?.services.find(({ name }) => name === service);
    if (declared?.document === undefined) return null;
    const known = this.#looking.get(operation);
    if (known) return known.found ? { found: known.found } : { waits: `the documents of ${service} are compared` };
    const next = instanceOf(snapshot, service, to);
    if (!next) return { waits: `an instance of ${namesOf(to)} must serve before its document can be read` };
    const looking: Looking = { found: null, over: new AbortController() };
    this.#looking.set(operation, looking);
    const limits: FetchLimits = {
      ...defaultLimits,
      maxBytes: environment?.gateway.largestDocumentBytes ?? defaultLimits.maxBytes,
    };
    const asked = {
      route: declared.route,
      live: instanceOf(
        snapshot,
        service,
        [...leaving(from, to)].sort((a, b) => b.count - a.count),
      ),
      next,
      limits,
    };
    const context = { clock: this.#clock, thread: this.#thread, signal: looking.over.signal };
    void compareRelease(asked, context).then(
      (found) => {
        looking.found = found;
        news();
      },
      // Aborted: nobody asks any more.
      () => this.#looking.delete(operation),
    );
    return { waits: `the documents of ${service} are compared` };
  }
}

/** An instance of one of the versions that is up and has a document, by their order. */
export function instanceOf(
  { registrations }: Pick<Snapshot, 'registrations'>,
  service: string,
  versions: readonly Version[],
): ObservedRegistration['record'] | null {
  for (const version of versions) {
    const found = registrations.find(
      ({ record }) =>
        record.service === service &&
        record.state === 'up' &&
        record.document !== undefined &&
        sameRun({ version: record.version, digest: record.digest ?? version.digest }, version),
    );
    if (found) return found.record;
  }
  return null;
}
