/** The valid registrations there are, by service: so that what changes in one costs nothing of the others. */
import type { LiveRegistration } from './route-table.ts';

export class RegistrationIndex {
  readonly #byService = new Map<string, Map<string, LiveRegistration>>();
  #all: LiveRegistration[] | null = null;

  constructor(registrations: Iterable<LiveRegistration> = []) {
    for (const registration of registrations) this.add(registration);
  }

  add(registration: LiveRegistration): void {
    const { service } = registration.record;
    const known = this.#byService.get(service) ?? new Map<string, LiveRegistration>();
    known.set(registration.path, registration);
    this.#byService.set(service, known);
    this.#all = null;
  }

  /** Removes the registration at a path of `service`, and all below it. */
  delete(service: string, path: string): void {
    const known = this.#byService.get(service);
    if (!known) return;
    this.#all = null;
    if (!known.delete(path)) for (const one of known.keys()) if (one.startsWith(`${path}/`)) known.delete(one);
    if (known.size === 0) this.#byService.delete(service);
  }

  ofService(service: string): LiveRegistration[] {
    return [...(this.#byService.get(service)?.values() ?? [])];
  }

  /** The same array as long as nothing changes. */
  all(): readonly LiveRegistration[] {
    this.#all ??= [...this.#byService.values()].flatMap((known) => [...known.values()]);
    return this.#all;
  }
}
