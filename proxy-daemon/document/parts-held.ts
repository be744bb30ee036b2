import { groupsOf, type PartGroup } from './part-groups.ts';
import type { ServicePart } from './service-part.ts';

/** What changed in the parts of all services since the thread that writes them was told last. */
export interface PartsUpdate {
  /** Of the update before this one; 0: none was, and `changed` holds all parts. */
  after: number;
  number: number;
  changed: readonly ServicePart[];
  /** Services that have no part any more. */
  gone: readonly string[];
}

/** The parts as a thread keeps them, sorted by service, in groups. */
export class PartsHeld {
  #number = 0;
  readonly #parts = new Map<string, ServicePart>();
  #sorted: readonly ServicePart[] = [];
  #groups: readonly PartGroup[] = [];

  /** False where this is not what the update changes: then nothing is. */
  update({ after, number, changed, gone }: PartsUpdate): boolean {
    if (after !== 0 && after !== this.#number) return false;
    if (after === 0) this.#parts.clear();
    const before = this.#parts.size;
    for (const service of gone) this.#parts.delete(service);
    for (const part of changed) this.#parts.set(part.service, part);
    this.#number = number;
    const sameServices = after !== 0 && gone.length === 0 && this.#parts.size === before;
    this.#sorted = sameServices
      ? this.#sorted.map(({ service }) => this.#parts.get(service) as ServicePart)
      : [...this.#parts.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
    this.#groups = groupsOf(this.#sorted, this.#groups);
    return true;
  }

  all(): readonly ServicePart[] {
    return this.#sorted;
  }

  groups(): readonly PartGroup[] {
    return this.#groups;
  }
}

/** The other end: says what to tell a thread that was told the same updates, or may have been ended since. */
export class PartsTold {
  #number = 0;
  #told = new Map<string, ServicePart>();

  /** What changes when the thread is to have exactly these parts. */
  update(parts: readonly ServicePart[]): PartsUpdate {
    const changed = parts.filter((part) => this.#told.get(part.service) !== part);
    const before = this.#told;
    const after = this.#number;
    for (const part of changed) this.#told.set(part.service, part);
    let gone: string[] = [];
    if (this.#told.size > parts.length) {
      const there = new Set(parts.map(({ service }) => service));
      gone = [...before.keys()].filter((service) => !there.has(service));
      for (const service of gone) this.#told.delete(service);
    }
    this.#number += 1;
    return { after, number: this.#number, changed, gone };
  }

  /** After a failure nobody knows what the thread has: the next update tells all. */
  forget(): void {
    this.#told = new Map();
    this.#number = 0;
  }
}
