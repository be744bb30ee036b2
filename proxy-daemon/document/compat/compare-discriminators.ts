import { entriesOf, isObject, objectAt, pointerTokens, valueAt } from '../json.ts';
import type { Compared } from './compare-objects.ts';
import { list } from './compare-values.ts';
import { type Conjunction, conjunctionAt, type Part } from './schema-parts.ts';
import type { View } from './schema-view.ts';
import { note, objectOf, only, type Step } from './step.ts';

/**
 * Discriminators beside alternatives. Looked at where no alternative was chosen yet on either side, so that both speak of the
 * same choice.
 */
export function compareTags(step: Step): Compared {
  const { sub, sup, demand } = step;
  if (demand[0].chosen.length + demand[1].chosen.length > 0) return { findings: [], children: [] };
  return compareMappings(step, onlyOne(sub, true), onlyOne(sup, true));
}

/** Discriminators of a base schema, which stand for all that is derived from it by `allOf` (3.1, Discriminator Object). */
export function compareHeirs(step: Step): Compared {
  return compareMappings(step, onlyOne(step.sub, false), onlyOne(step.sup, false));
}

function compareMappings(step: Step, mine: Discriminator | undefined, theirs: Discriminator | undefined): Compared {
  const { direction } = step;
  if (!mine || !theirs) return { findings: [], children: [] };
  if (mine.property !== theirs.property) {
    const [before, now] = direction === 'request' ? [mine, theirs] : [theirs, mine];
    const words = `${now.property} tells the alternatives apart now, ${before.property} did`;
    return only(step, 'discriminator-changed', words);
  }
  const compared: Compared = { findings: [], children: [] };
  const lost: string[] = [];
  for (const [value, target] of mine.mapping) {
    const other = theirs.mapping.get(value);
    // A target that is no alternative any more is told by the alternatives themselves.
    if (other === undefined && (theirs.targets === undefined || theirs.targets.has(target))) lost.push(value);
    if (other !== undefined && mine.targets === undefined && theirs.targets === undefined) {
      compared.children.push([schemaAt(mine.owner, target), schemaAt(theirs.owner, other)]);
    }
  }
  if (lost.length === 0) return compared;
  const words = `${mine.property} ${direction === 'request' ? 'may not be' : 'may be'} ${list(lost)} ${direction === 'request' ? 'any more' : 'now'}`;
  const kind = direction === 'request' ? 'request-discriminator-value-removed' : 'response-discriminator-value-added';
  compared.findings.push(note(step, kind, words));
  return compared;
}

interface Discriminator {
  owner: Part;
  property: string;
  mapping: Map<string, string>;
  /** What the alternatives beside it refer to; absent where heirs by `allOf` are meant. */
  targets: Set<string> | undefined;
}

/** The discriminator of this kind; none where there are several, since it can't be told which ones belong together. */
function onlyOne(view: View, besideUnion: boolean): Discriminator | undefined {
  const [owner, ...others] = view.flat.filter((part) => {
    const schema = objectOf(part);
    const hasUnion = Array.isArray(schema.anyOf) || Array.isArray(schema.oneOf);
    return isObject(schema.discriminator) && !part.inherited && hasUnion === besideUnion;
  });
  if (!owner || others.length > 0) return undefined;
  const discriminator = objectAt(objectOf(owner), 'discriminator');
  const alternatives = view.unions.filter((union) => union.owner === owner).flatMap((union) => union.alternatives);
  return {
    owner,
    property: String(discriminator.propertyName),
    mapping: new Map(entriesOf(objectAt(discriminator, 'mapping')).map(([value, target]) => [value, String(target)])),
    targets: besideUnion ? new Set(alternatives.map((part) => String(objectOf(part).$ref))) : undefined,
  };
}

function schemaAt({ side }: Part, ref: string): Conjunction {
  const tokens = pointerTokens(ref.slice(1));
  return conjunctionAt(side, valueAt(side.root, tokens), ref.slice(1));
}
