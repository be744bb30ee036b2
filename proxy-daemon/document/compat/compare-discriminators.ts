import { isObject, objectAt, pointerTokens, valueAt } from '../json.ts';
import type { Compared } from './compare-objects.ts';
import { list } from './compare-values.ts';
import { type Conjunction, conjunctionAt, type Part } from './schema-parts.ts';
import type { View } from './schema-view.ts';
import { note, objectOf, only, type Step } from './step.ts';

/** Discriminators: which property tells, and which values it may have. */
export function compareDiscriminators(step: Step): Compared {
  const { sub, sup, direction } = step;
  const mine = discriminatorOf(sub);
  const theirs = discriminatorOf(sup);
  if (!mine || !theirs) return { findings: [], children: [] };
  if (mine.property !== theirs.property) {
    const [before, now] = direction === 'request' ? [mine, theirs] : [theirs, mine];
    return only(
      step,
      'discriminator-changed',
      `${now.property} tells the alternatives apart now, ${before.property} did`,
    );
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

function discriminatorOf(view: View): Discriminator | undefined {
  const owner = view.flat.find(
    ({ schema, inherited, masked }) =>
      isObject(schema) && isObject(schema.discriminator) && !inherited && !masked.anyOf && !masked.oneOf,
  );
  if (!owner) return undefined;
  const { propertyName = '' } = objectAt(objectOf(owner), 'discriminator');
  const mapping = Object.entries(objectAt(objectAt(objectOf(owner), 'discriminator'), 'mapping'));
  const alternatives = view.unions.filter((union) => union.owner === owner).flatMap((union) => union.alternatives);
  return {
    owner,
    property: String(propertyName),
    mapping: new Map(mapping.map(([value, target]) => [value, String(target)])),
    targets: alternatives.length > 0 ? new Set(alternatives.map((part) => String(objectOf(part).$ref))) : undefined,
  };
}

function schemaAt({ side }: Part, ref: string): Conjunction {
  const tokens = pointerTokens(ref.slice(1));
  return conjunctionAt(side, valueAt(side.root, tokens), ref.slice(1));
}
