/** What can go wrong with a provider's calls, as data: a test or a simulation injects it, FakeProvider plays it. */

export type ProviderCall = 'create' | 'find' | 'list' | 'destroy' | 'limits';

export type ProviderFault =
  /** PROVIDER_UNAVAILABLE, nothing done. */
  | { on: ProviderCall; kind: 'unavailable' }
  /** Never answers and does nothing; only the caller's signal ends it. */
  | { on: ProviderCall; kind: 'hang' }
  /** Done at once, answered `ms` later: what is read is stale by then. */
  | { on: ProviderCall; kind: 'slow'; ms: number }
  /** PROVIDER_UNKNOWN, though done, at once or (a late arrival) `landsAfterMs` later. */
  | { on: 'create' | 'destroy'; kind: 'reply-lost'; landsAfterMs?: number }
  /** PROVIDER_UNKNOWN, and never done. */
  | { on: 'create' | 'destroy'; kind: 'request-lost' }
  /** PROVIDER_REFUSED: quota, or an image that is gone. */
  | { on: 'create'; kind: 'refused'; reason?: string }
  /** A machine is made that stays `building` for ever. */
  | { on: 'create'; kind: 'never-runs' }
  /** A machine is made that becomes `error` instead of `running`. */
  | { on: 'create'; kind: 'turns-error' }
  /** Accepted, but the machine stays as it is. */
  | { on: 'destroy'; kind: 'no-effect' };

/** How hints reach their listeners. */
export type EventDelivery = 'once' | 'lost' | 'doubled';

/** Faults in waiting: each strikes the next calls of its kind, in the order of injection. */
export class FaultQueue {
  #waiting: { fault: ProviderFault; times: number }[] = [];

  inject(fault: ProviderFault, times: number): void {
    if (times > 0) this.#waiting.push({ fault, times });
  }

  /** The fault that strikes this call, or null. */
  take(call: ProviderCall): ProviderFault | null {
    const next = this.#waiting.find(({ fault }) => fault.on === call);
    if (!next) return null;
    next.times -= 1;
    if (next.times <= 0) this.#waiting = this.#waiting.filter((one) => one !== next);
    return next.fault;
  }

  clear(): void {
    this.#waiting = [];
  }
}
