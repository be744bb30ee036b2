import { canonicalJson } from '../../../specs/canonical-json.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { Compared, Demand } from './compare-objects.ts';
import type { LocalFinding } from './finding.ts';
import { type Conjunction, extraPart, type Part } from './schema-parts.ts';
import { choose, propertyOf, reachableTypes, type Union, type View, viewOf } from './schema-view.ts';
import { type Judge, keyOnly, note, objectOf, only, type Step, samePart } from './step.ts';
import { typeNames } from './types.ts';

/** `anyOf` and `oneOf`: on the side that has to fit each alternative must; on the other side one has to take it. Pure. */

/** Alternatives that are gone through one by one; more are compared as they stand. */
const mostAlternatives = 500;
/** Listed values, and alternatives whose names say nothing, that are gone through one by one. */
const mostTried = 50;

/** What may be sent is any of the alternatives, so each of them has to fit. */
export function eachAlternative(step: Step, judge: Judge): Compared {
  const { sub, sup, demand } = step;
  const [union] = sub.unions;
  const ways = sub.unions.reduce((product, { alternatives }) => product * alternatives.length, 1);
  if (union && ways <= mostAlternatives) {
    const children = union.alternatives.map(
      (alternative): Demand => [choose(demand[0], sub, union, alternative), demand[1]],
    );
    return { findings: [], children };
  }
  const texts = (view: View) =>
    canonicalJson(view.unions.map(({ keyword, owner }) => [keyword, objectOf(owner)[keyword]]));
  if (texts(sub) === texts(sup) && sub.flat.every((part, index) => samePart(part, sup.flat[index], step, judge))) {
    return { findings: [], children: [] };
  }
  return only(step, 'undecided', `has ${ways} combinations of alternatives: too many to compare`);
}

/** True where a property with one fixed value tells the alternatives apart. */
function areTagged(alternatives: readonly Part[]): boolean {
  const views = alternatives.map((part) => viewOf(one(part)));
  const [first] = views;
  return [...(first?.required ?? [])].some((name) => {
    const tags = views.map((view) => [...(viewOf(propertyOf(view, name)).values?.keys() ?? [])]);
    return views.every(({ required }) => required.has(name)) && areDistinct(tags);
  });
}

/** True where each has values of its own. */
function areDistinct(values: readonly string[][]): boolean {
  const all = values.flat();
  return values.every((own) => own.length > 0) && new Set(all).size === all.length;
}

/** What is sent has to fit one of the alternatives; with the rest of the schema beside it. */
export function fitSomeAlternative(step: Step, common: number, judge: Judge): Compared {
  const [union] = step.sup.unions;
  if (!union) return { findings: [], children: [] };
  const found = fitOneOf(step, union, common, judge);
  return { ...found, findings: [...overlaps(step, union, judge), ...found.findings] };
}

function fitOneOf(step: Step, union: Union, common: number, judge: Judge): Compared {
  const { sub, sup, direction } = step;
  const [mine, theirs] = step.demand;
  const open = union.alternatives
    .map((part) => ({ part, demand: [mine, choose(theirs, sup, union, part)] as const }))
    .filter(({ part }) => (reachableTypes(viewOf(one(part))) & common) !== 0);
  const twin = twinOf(
    union,
    mine,
    open.map(({ part }) => part),
  );
  const found = open.find(({ part }) => part === twin);
  if (found) return { findings: [], children: [found.demand] };
  const names = new Set(sub.flat.map(({ at }) => at).filter((at) => at.startsWith('/components/')));
  const named = open.find(({ part }) => names.has(targetOf(part)));
  if (named) return { findings: [], children: [named.demand] };
  const [single] = open;
  // A counterpart that is the only one left says more about what changed than that it is gone.
  if (single && open.length === 1 && (mine.chosen.length === 0 || isPlace(sub, single.part)))
    return { findings: [], children: [single.demand] };
  const byPlace = open.toSorted((a, b) => Number(isPlace(sub, b.part)) - Number(isPlace(sub, a.part)));
  const verdicts = byPlace
    .slice(0, mostTried)
    .map(({ demand }) => ({ demand, verdict: judge.fits(demand, direction) }));
  const fitting =
    verdicts.find(({ verdict }) => verdict === 'yes') ?? verdicts.find(({ verdict }) => verdict === 'unknown');
  if (fitting) return { findings: [], children: [fitting.demand] };
  return splitFurther(step, common) ?? noAlternative(step);
}

/**
 * With `oneOf` only one alternative may match. What was sent under the very same `oneOf` keeps that; else the alternatives must
 * exclude each other. What comes back is not asked: there, it only means that a strict reader finds two alternatives.
 */
function overlaps(step: Step, { keyword, owner, alternatives }: Union, judge: Judge): LocalFinding[] {
  if (step.direction === 'response' || keyword === 'anyOf' || alternatives.length < 2) return [];
  if (isObject(objectOf(owner).discriminator) || excludeEachOther(alternatives)) return [];
  const wanted = keyOnly(owner, 'oneOf');
  const kept = step.sub.flat.some((part) => part.masked.oneOf && samePart(keyOnly(part, 'oneOf'), wanted, step, judge));
  if (kept) return [];
  return [note(step, 'alternatives-overlap', 'more than one of the alternatives may match now, and only one may')];
}

function excludeEachOther(alternatives: readonly Part[]): boolean {
  const types = alternatives.map((part) => reachableTypes(viewOf(one(part))));
  const apart = types.every((own, index) => types.every((other, at) => at === index || (own & other) === 0));
  const values = alternatives.map((part) => [...(viewOf(one(part)).values?.keys() ?? [])]);
  return apart || areDistinct(values) || areTagged(alternatives);
}

/** The alternative that is written as the chosen one is: best one of the same choice. */
function twinOf({ owner }: Union, { chosen }: Conjunction, alternatives: readonly Part[]): Part | undefined {
  const alike = (choices: typeof chosen) => {
    const texts = new Set(choices.map(({ part }) => canonicalJson(part.schema)));
    return texts.size === 0 ? undefined : alternatives.find(({ schema }) => texts.has(canonicalJson(schema)));
  };
  return alike(chosen.filter(({ of }) => of === owner.at)) ?? alike(chosen);
}

function isPlace(view: View, part: Part): boolean {
  return view.flat.some(({ at }) => at === part.at);
}

function targetOf(part: Part): string {
  const { $ref } = objectOf(part);
  return typeof $ref === 'string' ? decodeURI($ref.slice(1)) : part.at;
}

/** Types or listed values may each fit another alternative. */
function splitFurther(step: Step, common: number): Compared | undefined {
  const { sub, demand } = step;
  const [mine, theirs] = demand;
  const apart = (schemas: JsonObject[]): Compared => ({
    findings: [],
    children: schemas.map(
      (schema): Demand => [{ ...mine, parts: [...mine.parts, ...extraPart(sub.flat, schema)] }, theirs],
    ),
  });
  const types = typeNames(common);
  if (types.length > 1) return apart(types.map((type) => ({ type })));
  const values = [...(sub.values?.values() ?? [])];
  return values.length > 1 && values.length <= mostTried ? apart(values.map((value) => ({ const: value }))) : undefined;
}

function noAlternative(step: Step): Compared {
  const { demand, direction } = step;
  if (demand[0].chosen.length === 0 && !step.sub.values) {
    return only(step, 'undecided', 'is described by alternatives, and it can’t be told whether they take all of it');
  }
  return direction === 'request'
    ? only(step, 'request-alternative-removed', 'fits none of the alternatives any more')
    : only(step, 'response-alternative-added', 'is a new alternative');
}

function one(part: Part): Conjunction {
  return { parts: [part], chosen: [] };
}
