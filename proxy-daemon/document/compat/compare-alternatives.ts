import { canonicalJson } from '../../../specs/canonical-json.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { Compared, Demand } from './compare-objects.ts';
import type { LocalFinding } from './finding.ts';
import { type Conjunction, extraPart, type Part } from './schema-parts.ts';
import { choose, propertyOf, reachableTypes, type View, viewOf } from './schema-view.ts';
import { type Judge, note, objectOf, only, type Step, samePart } from './step.ts';
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
    const children = union.alternatives.map((alternative): Demand => [choose(sub, union, alternative), demand[1]]);
    return { findings: overlaps(step), children };
  }
  const texts = (view: View) =>
    canonicalJson(view.unions.map(({ keyword, owner }) => [keyword, objectOf(owner)[keyword]]));
  if (texts(sub) === texts(sup) && sub.flat.every((part, index) => samePart(part, sup.flat[index], step, judge))) {
    return { findings: [], children: [] };
  }
  return only(step, 'undecided', `has ${ways} combinations of alternatives: too many to compare`);
}

/** With `oneOf`, an alternative that is new may catch what another one caught alone: then both match, and that is refused. */
function overlaps(step: Step): LocalFinding[] {
  const { sub, sup, direction } = step;
  if (direction === 'response') return [];
  const before = sub.unions.find(({ keyword }) => keyword === 'oneOf');
  const after = sup.unions.find(({ keyword }) => keyword === 'oneOf');
  if (!before || !after || after.alternatives.length <= before.alternatives.length) return [];
  if (isObject(objectOf(after.owner).discriminator)) return [];
  const types = after.alternatives.map((part) => reachableTypes(viewOf(one(part))));
  const disjoint = types.every((own, index) => types.every((other, at) => at === index || (own & other) === 0));
  return disjoint || areTagged(after.alternatives)
    ? []
    : [note(step, 'alternatives-overlap', 'has new alternatives that may match together with old ones; only one may')];
}

/** True where a property with one fixed value tells the alternatives apart. */
function areTagged(alternatives: readonly Part[]): boolean {
  const views = alternatives.map((part) => viewOf(one(part)));
  const [first] = views;
  return [...(first?.required ?? [])].some((name) => {
    const tags = views.map((view) => [...(viewOf(propertyOf(view, name)).values?.keys() ?? [])]);
    const all = tags.flat();
    return (
      tags.every((own, index) => own.length > 0 && views[index]?.required.has(name)) && new Set(all).size === all.length
    );
  });
}

/** What is sent has to fit one of the alternatives; with the rest of the schema beside it. */
export function fitSomeAlternative(step: Step, common: number, judge: Judge): Compared {
  const { sub, sup, direction } = step;
  const [mine] = step.demand;
  const [union] = sup.unions;
  if (!union) return { findings: [], children: [] };
  const open = union.alternatives
    .map((part) => ({ part, demand: [mine, choose(sup, union, part)] as const }))
    .filter(({ part }) => (reachableTypes(viewOf(one(part))) & common) !== 0);
  const names = new Set(sub.flat.map(({ at }) => at).filter((at) => at.startsWith('/components/')));
  const named = open.find(({ part }) => names.has(targetOf(part)));
  if (named) return { findings: [], children: [named.demand] };
  const [single] = open;
  if (single && open.length === 1) return { findings: [], children: [single.demand] };
  const byPlace = open.toSorted((a, b) => Number(isPlace(sub, b.part)) - Number(isPlace(sub, a.part)));
  const verdicts = byPlace
    .slice(0, mostTried)
    .map(({ demand }) => ({ demand, verdict: judge.fits(demand, direction) }));
  const fitting =
    verdicts.find(({ verdict }) => verdict === 'yes') ?? verdicts.find(({ verdict }) => verdict === 'unknown');
  if (fitting) return { findings: [], children: [fitting.demand] };
  return splitFurther(step, common) ?? noAlternative(step);
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
  if (!demand[0].alternative && !step.sub.values) {
    return only(step, 'undecided', 'is described by alternatives, and it can’t be told whether they take all of it');
  }
  return direction === 'request'
    ? only(step, 'request-alternative-removed', 'fits none of the alternatives any more')
    : only(step, 'response-alternative-added', 'is a new alternative');
}

function one(part: Part): Conjunction {
  return { parts: [part], alternative: false };
}
