/** `after:`: which services are rolled out before which. Pure. */
import type { BrokenRule } from './broken-rule.ts';
import { didYouMean } from './near-miss.ts';

type Ordered = Readonly<Record<string, { after?: readonly string[] | undefined }>>;

/** Names that nobody has, a service after itself, one named twice, and circles, each of these once. */
export function brokenOrder(services: Ordered): BrokenRule[] {
  const names = Object.keys(services);
  const broken: BrokenRule[] = [];
  const inCircles = new Set<string>();
  for (const [name, { after = [] }] of Object.entries(services)) {
    for (const [at, other] of after.entries()) {
      const complain = (message: string) =>
        broken.push({ path: ['services', name, 'after', at], on: 'value', message });
      if (other === name) complain(`${name} can't come after itself`);
      else if (!Object.hasOwn(services, other)) complain(`there is no service "${other}"${didYouMean(other, names)}`);
      else if (after.indexOf(other) < at) complain(`${other} is named twice`);
    }
    if (inCircles.has(name)) continue;
    const circle = wayBack(services, name);
    if (!circle) continue;
    for (const one of circle) inCircles.add(one);
    const words = [...circle, name].join(' after ');
    broken.push({ path: ['services', name, 'after'], on: 'key', message: `no order is possible: ${words}` });
  }
  return broken;
}

/** The shortest way from a service over those it comes after back to itself, itself first; null: there is none. */
function wayBack(services: Ordered, name: string): string[] | null {
  const seen = new Set<string>();
  let ways = [[name]];
  while (ways.length > 0) {
    const longer: string[][] = [];
    for (const way of ways) {
      const last = way.at(-1) ?? name;
      for (const other of namedBy(services, last)) {
        if (other === name && last !== name) return way;
        if (other === name || seen.has(other)) continue;
        seen.add(other);
        longer.push([...way, other]);
      }
    }
    ways = longer;
  }
  return null;
}

function namedBy(services: Ordered, name: string): readonly string[] {
  return Object.hasOwn(services, name) ? (services[name]?.after ?? []) : [];
}

/** All services that come before this one, over any number of steps; not itself. */
export function comesAfter(
  services: readonly { name: string; after?: readonly string[] }[],
  name: string,
): Set<string> {
  const after = new Map(services.map((service) => [service.name, service.after ?? []]));
  const found = new Set<string>();
  const open = [...(after.get(name) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === name || found.has(next)) continue;
    found.add(next);
    open.push(...(after.get(next) ?? []));
  }
  return found;
}
