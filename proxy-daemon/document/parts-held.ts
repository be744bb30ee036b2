import { groupsOf, groupsWith, type PartGroup } from './part-groups.ts';
import type { ServicePart } from './service-part.ts';
import { firstNotBefore } from './sorted-names.ts';

/** What changed in the parts of all services since the thread that writes them was told last. */
export interface PartsUpdate {
  /** The number of the update that this one changes; 0: none, and `changed` holds all parts. */
  after: number;
  number: number;
  changed: readonly ServicePart[];
  /** Services that have no part any more. */
  gone: readonly string[];
}

/** What an update made other than it was. */
export type PartsChange = Pick<PartsUpdate, 'changed' | 'gone'>;

/** The parts as a thread keeps them, sorted by service, in groups. */
export class PartsHeld {
  #number = 0;
  /** What the last update made other; null where it told all. */
  #change: PartsChange | null = null;
  #sorted: readonly ServicePart[] = [];
  #groups: readonly PartGroup[] = [];

  /** False where this is not what the update changes: then nothing is. */
  update({ after, number, changed, gone }: PartsUpdate): boolean {
    if (after !== 0 && after !== this.#number) return false;
    this.#number = number;
    this.#change = after === 0 ? null : { changed, gone };
    if (after === 0 || gone.length > 0 || !this.#replace(changed)) this.#arrange(after === 0, changed, gone);
    return true;
  }

  all(): readonly ServicePart[] {
    return this.#sorted;
  }

  groups(): readonly PartGroup[] {
    return this.#groups;
  }

  /** Of the last update. */
  get number(): number {
    return this.#number;
  }

  /** What is other than it was after the update of this number; null where all may be. */
  changesSince(number: number): PartsChange | null {
    if (number === this.#number) return { changed: [], gone: [] };
    return number === this.#number - 1 ? this.#change : null;
  }

  /** Parts in the place of those of the same services. False where one is of another service: then nothing is changed. */
  #replace(changed: readonly ServicePart[]): boolean {
    const sorted = [...this.#sorted];
    for (const part of changed) {
      const at = firstNotBefore(sorted, part.service, serviceOf);
      if (sorted[at]?.service !== part.service) return false;
      sorted[at] = part;
    }
    this.#sorted = sorted;
    this.#groups = groupsWith(this.#groups, changed);
    return true;
  }

  #arrange(isAnew: boolean, changed: readonly ServicePart[], gone: readonly string[]): void {
    const parts = new Map(isAnew ? [] : this.#sorted.map((part) => [part.service, part]));
    for (const service of gone) parts.delete(service);
    for (const part of changed) parts.set(part.service, part);
    this.#sorted = [...parts.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
    this.#groups = groupsOf(this.#sorted, this.#groups);
  }
}

/** The other end: says what to tell a thread that was told the same updates, or may have been ended since. */
export class PartsTold {
  /** Of the last update: no two have the same. */
  #number = 0;
  #isForgotten = true;
  #parts: readonly ServicePart[] = [];

  /** What changes when the thread is to have exactly these parts. */
  update(parts: readonly ServicePart[]): PartsUpdate {
    const [before, after] = this.#isForgotten ? [[], 0] : [this.#parts, this.#number];
    this.#parts = parts;
    this.#isForgotten = false;
    this.#number += 1;
    return { after, number: this.#number, ...changeBetween(before, parts) };
  }

  /** After a failure nobody knows what the thread has: the next update tells all. */
  forget(): void {
    this.#isForgotten = true;
  }
}

function serviceOf({ service }: ServicePart): string {
  return service;
}

/** Nearly always the same services are in the same places: then only what changed is looked at. */
function changeBetween(before: readonly ServicePart[], after: readonly ServicePart[]): PartsChange {
  const differ = after.filter((part, at) => part !== before[at]);
  const isInPlace = (part: ServicePart, at: number) => part === before[at] || part.service === before[at]?.service;
  if (before.length === after.length && after.every(isInPlace)) return { changed: differ, gone: [] };
  const known = new Map(before.map((part) => [part.service, part]));
  const there = new Set(after.map(serviceOf));
  return {
    changed: differ.filter((part) => known.get(part.service) !== part),
    gone: [...known.keys()].filter((service) => !there.has(service)),
  };
}
