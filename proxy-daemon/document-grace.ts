/**
 * The document of a gateway that was restarted: the one already served, until each instance's has been read again. A gateway
 * that starts must not show an emptier document than the one before it did.
 */
import type { Clock } from '../registrar/clock.ts';
import type { MergedDocument } from './document-source.ts';

/** The longest wait for documents to be read again, ms. */
const graceMs = 5000;

export class DocumentGrace {
  /** Served when this daemon started; null where none was, or it has been superseded. */
  #last: MergedDocument | null;
  #until: number | null = null;

  constructor(last: MergedDocument | null) {
    this.#last = last;
  }

  /** What to publish where `current` is what was read. `look` is called when the wait is over. */
  of(current: MergedDocument, clock: Clock, signal: AbortSignal, look: () => void): MergedDocument {
    if (this.#last === null) return current;
    if (this.#until === null) {
      this.#until = clock.monotonic() + graceMs;
      void clock.sleep(graceMs, signal).then(look, () => {});
    }
    const isRead = current.sources.length > 0 && current.sources.every(({ state }) => state !== 'missing');
    if (!isRead && clock.monotonic() < this.#until) return this.#last;
    this.#last = null;
    return current;
  }
}
