import { isObject, type JsonObject } from '../json.ts';
import type { Compared, Demand } from './compare-objects.ts';
import type { Direction } from './compare-values.ts';
import { type FindingKind, finding, type LocalFinding } from './finding.ts';
import type { Part } from './schema-parts.ts';
import { placeOf, type View } from './schema-view.ts';

/** One step of comparing two schemas: a pair of conjunctions of which the first has to fit into the second. Pure. */
export interface Step {
  demand: Demand;
  sub: View;
  sup: View;
  direction: Direction;
}

/** What a step needs to know of the whole comparison. */
export interface Judge {
  /** Whether the first conjunction fits into the second, as far as a bounded look tells. */
  fits(demand: Demand, direction: Direction): 'yes' | 'no' | 'unknown';
  /** True where both schema objects say the same, references followed. */
  sameMeaning(live: JsonObject, next: JsonObject): boolean;
}

/** A finding at the place of the step. */
export function note({ sub, sup, direction }: Step, kind: FindingKind, words: string): LocalFinding {
  const [live, next] = direction === 'request' ? [sub, sup] : [sup, sub];
  return finding(kind, words, { live: placeOf(live), next: placeOf(next) });
}

/** One finding and nothing below. */
export function only(step: Step, kind: FindingKind, words: string): Compared {
  return { findings: [note(step, kind, words)], children: [] };
}

export function joined(a: Compared, b: Compared): Compared {
  return { findings: [...a.findings, ...b.findings], children: [...a.children, ...b.children] };
}

/** The part's schema as an object; empty for `true` and `false`. */
export function objectOf(part: Part): JsonObject {
  return isObject(part.schema) ? part.schema : {};
}

/** True where a part of each side says the same. */
export function samePart(a: Part, b: Part | undefined, { direction }: Step, judge: Judge): boolean {
  if (!b) return false;
  const [live, next] = direction === 'request' ? [a, b] : [b, a];
  return judge.sameMeaning(objectOf(live), objectOf(next));
}

/** The part with this keyword alone. */
export function keyOnly(part: Part, keyword: string): Part {
  return { ...part, schema: { [keyword]: objectOf(part)[keyword] } };
}
