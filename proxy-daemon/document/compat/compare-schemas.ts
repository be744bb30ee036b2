import { eachAlternative, fitSomeAlternative } from './compare-alternatives.ts';
import { compareHeirs, compareTags } from './compare-discriminators.ts';
import { type Compared, compareObjects, type Demand } from './compare-objects.ts';
import { compareValues } from './compare-values.ts';
import type { LocalFinding } from './finding.ts';
import { type Conjunction, extraPart } from './schema-parts.ts';
import { itemOf, prefixLength, reachableTypes, type View } from './schema-view.ts';
import { type Judge, joined, keyOnly, note, objectOf, only, type Step, samePart } from './step.ts';
import { typeBits, typeNames, typeWords } from './types.ts';

/**
 * What two schemas say themselves, and which pairs of schemas below have to be compared. Nothing recursive happens here, so
 * schemas that contain themselves cost nothing extra. Pure.
 */

/** Compares what is at hand and names the pairs below. */
export function compareStep(step: Step, judge: Judge): Compared {
  const { sub, sup } = step;
  if (!sub.whole || !sup.whole) return only(step, 'undecided', 'the schema has too many parts to be compared');
  if (reachableTypes(sub) === 0) return { findings: [], children: [] };
  return joined(compareTags(step), sub.unions.length > 0 ? eachAlternative(step, judge) : withoutUnion(step, judge));
}

function withoutUnion(step: Step, judge: Judge): Compared {
  const { sub, sup } = step;
  const may = reachableTypes(sup);
  const common = sub.types & may;
  const types = compareTypes(step, may);
  if (common === 0) return { findings: types, children: [] };
  const narrowed = common === sub.types ? step.demand[0] : withTypes(step, common);
  const rest =
    sup.unions.length > 0
      ? fitSomeAlternative({ ...step, demand: [narrowed, step.demand[1]] }, common, judge)
      : compareLeaf(step, common, judge);
  return { findings: [...types, ...rest.findings], children: rest.children };
}

function compareTypes(step: Step, may: number): LocalFinding[] {
  const { sub, direction } = step;
  const missing = sub.types & ~may;
  if (missing === 0) return [];
  const request = direction === 'request';
  if (step.demand[0].chosen.length > 0 && missing === sub.types) {
    return request
      ? [note(step, 'request-alternative-removed', `${typeWords(sub.types)} is no alternative any more`)]
      : [
          note(
            step,
            missing === typeBits.null ? 'response-became-nullable' : 'response-alternative-added',
            `may be ${typeWords(sub.types)} now`,
          ),
        ];
  }
  if (missing === typeBits.null) {
    return request
      ? [note(step, 'request-became-not-nullable', 'null may not be sent any more')]
      : [note(step, 'response-became-nullable', 'may be null now')];
  }
  return request
    ? [note(step, 'request-type-narrowed', `must be ${typeWords(may)} now, was ${typeWords(sub.types)}`)]
    : [note(step, 'response-type-widened', `may be ${typeWords(sub.types)} now, was ${typeWords(may)}`)];
}

function withTypes({ sub, demand }: Step, types: number): Conjunction {
  const [mine] = demand;
  return { ...mine, parts: [...mine.parts, ...extraPart(sub.flat, { type: typeNames(types) })] };
}

function compareLeaf(step: Step, common: number, judge: Judge): Compared {
  const { sub, sup, direction } = step;
  const compared: Compared = {
    findings: compareValues(sub, sup, common, direction).map(({ kind, words }) => note(step, kind, words)),
    children: [],
  };
  compared.findings.push(...compareOpaque(step, judge));
  if (common & typeBits.array) compared.children.push(...compareItems(sub, sup));
  const heirs = joined(compared, compareHeirs(step));
  return common & typeBits.object ? joined(heirs, compareObjects(sub, sup, direction)) : heirs;
}

function compareItems(sub: View, sup: View): Demand[] {
  const length = Math.min(100, Math.max(prefixLength(sub), prefixLength(sup)));
  const indexes = [...Array.from({ length }, (_, index) => index), undefined];
  return indexes.map((index): Demand => [itemOf(sub, index), itemOf(sup, index)]);
}

/** Keywords whose sets can't be compared piece by piece: equal, or undecided. */
const opaque = [
  'not',
  'if',
  'then',
  'else',
  'contains',
  'minContains',
  'maxContains',
  'propertyNames',
  'dependentSchemas',
  'dependentRequired',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contentSchema',
  '$dynamicRef',
];

function compareOpaque(step: Step, judge: Judge): LocalFinding[] {
  const { sub, sup, direction } = step;
  const having = (view: View, keyword: string) => view.flat.filter((part) => Object.hasOwn(objectOf(part), keyword));
  return opaque.flatMap((keyword) => {
    const own = having(sub, keyword);
    return having(sup, keyword)
      .filter((part) => !own.some((other) => samePart(keyOnly(other, keyword), keyOnly(part, keyword), step, judge)))
      .map(() => {
        if (own.length > 0) return note(step, 'constraint-changed', `${keyword} is another one now`);
        return direction === 'request'
          ? note(step, 'request-constraint-added', `${keyword} is asked for now`)
          : note(step, 'response-constraint-removed', `${keyword} no longer holds`);
      });
  });
}
