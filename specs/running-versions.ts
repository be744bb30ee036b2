/** Which versions of a service shall have instances. Pure. */
import type { Service, Version } from './nouns.ts';

/** Those with a count, in declared order; the others are only described. */
export function runningVersions({ versions }: Pick<Service, 'versions'>): Version[] {
  return versions.filter(({ count }) => count > 0);
}
