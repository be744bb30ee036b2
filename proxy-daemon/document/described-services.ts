import type { DescribedService } from './describe-service.ts';
import type { ServicePart } from './service-part.ts';
import { firstNotBefore } from './sorted-names.ts';

/**
 * What is said of all services, sorted by service. What the document is made of stands beside it, so that nobody looks into a thousand
 * objects because one of them changed. Pure.
 */
export interface DescribedServices {
  all: readonly DescribedService[];
  parts: readonly ServicePart[];
  /** Of the parts. */
  digests: readonly string[];
  operations: number;
}

/** Gives what is said of a service; undefined where nothing is yet. */
type Said = (service: string) => DescribedService | undefined;

export const nothingDescribed: DescribedServices = { all: [], parts: [], digests: [], operations: 0 };

/** `services`: all there are, sorted. */
export function describedServices(services: readonly { service: string }[], said: Said): DescribedServices {
  const all = services.flatMap(({ service }) => said(service) ?? []);
  const parts = all.map(({ part }) => part);
  const digests = parts.map(({ digest }) => digest);
  return { all, parts, digests, operations: all.reduce((sum, { operations }) => sum + operations, 0) };
}

/** The same as before, but for what is said of these; null where one of them is said something of for the first time, or nothing any more. */
export function describedWith(
  before: DescribedServices,
  touched: Iterable<string>,
  said: Said,
): DescribedServices | null {
  const [all, parts, digests] = [[...before.all], [...before.parts], [...before.digests]];
  let { operations } = before;
  for (const service of touched) {
    const one = said(service);
    const at = firstNotBefore(parts, service, (part) => part.service);
    const last = parts[at]?.service === service ? all[at] : undefined;
    if (one === undefined && last === undefined) continue;
    if (one === undefined || last === undefined) return null;
    operations += one.operations - last.operations;
    [all[at], parts[at], digests[at]] = [one, one.part, one.part.digest];
  }
  return { all, parts, digests, operations };
}
