import type { DescribedService } from './describe-service.ts';
import type { ServicePart } from './service-part.ts';
import { firstNotBefore } from './sorted-names.ts';

/** What is said of all services, sorted by service, kept up to date: of thousands those that changed are looked at. */
export class DescribedServices {
  #all: readonly DescribedService[] = [];
  #parts: readonly ServicePart[] = [];
  #digests: readonly string[] = [];
  #operations = 0;

  get all(): readonly DescribedService[] {
    return this.#all;
  }

  get parts(): readonly ServicePart[] {
    return this.#parts;
  }

  /** Of the parts. */
  get digests(): readonly string[] {
    return this.#digests;
  }

  get operations(): number {
    return this.#operations;
  }

  /**
   * `services`: all there are, sorted. `touched`: those of which something else may be said than before; null: any, or some came or
   * went. `get` gives what is said of a service, undefined where nothing is yet.
   */
  update(
    services: readonly { service: string }[],
    touched: ReadonlySet<string> | null,
    get: (service: string) => DescribedService | undefined,
  ): void {
    if (touched !== null && this.#replace(touched, get)) return;
    this.#all = services.flatMap(({ service }) => get(service) ?? []);
    this.#parts = this.#all.map(({ part }) => part);
    this.#digests = this.#parts.map(({ digest }) => digest);
    this.#operations = this.#all.reduce((sum, { operations }) => sum + operations, 0);
  }

  /** False, and nothing is changed, where something is said of one for the first time. */
  #replace(touched: ReadonlySet<string>, get: (service: string) => DescribedService | undefined): boolean {
    const [all, parts, digests] = [[...this.#all], [...this.#parts], [...this.#digests]];
    let operations = this.#operations;
    for (const service of touched) {
      const one = get(service);
      const at = firstNotBefore(parts, service, (part) => part.service);
      const before = parts[at]?.service === service ? all[at] : undefined;
      if (one === undefined && before === undefined) continue;
      if (one === undefined || before === undefined) return false;
      operations += one.operations - before.operations;
      [all[at], parts[at], digests[at]] = [one, one.part, one.part.digest];
    }
    [this.#all, this.#parts, this.#digests, this.#operations] = [all, parts, digests, operations];
    return true;
  }
}
