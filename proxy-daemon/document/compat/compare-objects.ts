import { escapeToken } from '../json.ts';
import type { Direction } from './compare-values.ts';
import { type FindingKind, finding, type LocalFinding } from './finding.ts';
import type { Conjunction } from './schema-parts.ts';
import { additionalOf, patternParts, placeOf, propertyNames, propertyOf, type View, viewOf } from './schema-view.ts';

/** Properties of objects: listed, required, by pattern, and all others. Pure. */

/** Two conjunctions of which the first has to fit into the second. */
export type Demand = readonly [sub: Conjunction, sup: Conjunction];

export interface Compared {
  findings: LocalFinding[];
  children: Demand[];
}

export function compareObjects(sub: View, sup: View, direction: Direction): Compared {
  const compared: Compared = { findings: [], children: [] };
  const place = new ObjectPlace(sub, sup, direction);
  const inSub = visibleNames(sub, direction);
  const inSup = visibleNames(sup, direction);
  for (const name of new Set([...inSub.names, ...inSup.names])) {
    if (inSub.names.has(name) && inSup.names.has(name))
      compared.children.push([propertyOf(sub, name), propertyOf(sup, name)]);
    else if (inSub.names.has(name)) onlyInSub(compared, place, name, inSup.hidden.has(name));
    else onlyInSup(compared, place, name);
  }
  compareRequired(compared, place, inSub, inSup);
  compareAdditional(compared, place);
  return compared;
}

/** Both views with the pointers that findings about a property carry. */
class ObjectPlace {
  readonly sub: View;
  readonly sup: View;
  readonly direction: Direction;

  constructor(sub: View, sup: View, direction: Direction) {
    this.sub = sub;
    this.sup = sup;
    this.direction = direction;
  }

  find(kind: FindingKind, words: string, name?: string): LocalFinding {
    const [live, next] = this.direction === 'request' ? [this.sub, this.sup] : [this.sup, this.sub];
    return finding(kind, words, {
      live: name === undefined ? placeOf(live) : pointerOf(live, name),
      next: name === undefined ? placeOf(next) : pointerOf(next, name),
    });
  }
}

function pointerOf(view: View, name: string): string | undefined {
  const owner = view.flat.find((part) => propertyNames({ ...view, flat: [part] }).has(name));
  return owner ? `${owner.at}/properties/${escapeToken(name)}` : placeOf(view);
}

interface Names {
  names: Set<string>;
  /** Listed, but not for this direction: `readOnly` ones are not sent, `writeOnly` ones don't come back. */
  hidden: Set<string>;
}

function visibleNames(view: View, direction: Direction): Names {
  const names = propertyNames(view);
  const hidden = new Set<string>();
  for (const name of names) {
    const { readOnly, writeOnly } = viewOf(propertyOf(view, name));
    if (direction === 'request' ? readOnly : writeOnly) hidden.add(name);
  }
  for (const name of hidden) names.delete(name);
  return { names, hidden };
}

/** Callers send something that next doesn't list, or get something that live doesn't list. */
function onlyInSub(compared: Compared, place: ObjectPlace, name: string, hidden: boolean): void {
  const { sub, sup, direction } = place;
  const request = direction === 'request';
  if (hidden) {
    if (request)
      compared.findings.push(
        place.find(
          'request-property-became-read-only',
          `${name} is read-only now: what is sent is ignored or refused`,
          name,
        ),
      );
    return;
  }
  const others = additionalOf(sup);
  const rest = propertyOf(sup, name);
  if (others.closed) {
    const words = request
      ? `${name} is refused now: nothing but the listed properties may be sent`
      : `${name} is new where live lists all properties`;
    compared.findings.push(
      place.find(request ? 'request-property-refused' : 'response-property-added-to-closed', words, name),
    );
  } else if (rest.parts.some(({ schema }) => schema !== true)) {
    compared.children.push([propertyOf(sub, name), rest]);
  } else if (request) {
    compared.findings.push(
      place.find('request-property-removed', `${name} is no longer described: what is sent may be ignored`, name),
    );
  } else {
    compared.findings.push(place.find('response-property-added', `${name} is new`, name));
  }
}

/** Next lists something that callers don't send so far, or live lists something that no longer comes back. */
function onlyInSup(compared: Compared, place: ObjectPlace, name: string): void {
  const { sub, sup, direction } = place;
  const rest = propertyOf(sub, name);
  const described = rest.parts.some(({ schema }) => schema !== true);
  if (direction === 'request') {
    if (additionalOf(sub).closed || !described) {
      if (!sup.required.has(name))
        compared.findings.push(place.find('request-property-added', `${name} is new and optional`, name));
    } else {
      compared.children.push([rest, propertyOf(sup, name)]);
    }
    return;
  }
  if (described && !additionalOf(sub).closed) {
    compared.children.push([rest, propertyOf(sup, name)]);
    return;
  }
  if (sup.required.has(name))
    compared.findings.push(place.find('response-property-removed', `${name} is gone, and was always there`, name));
  else
    compared.findings.push(place.find('response-optional-property-removed', `${name} is gone; it was optional`, name));
}

function compareRequired(compared: Compared, place: ObjectPlace, inSub: Names, inSup: Names): void {
  const { sub, sup, direction } = place;
  for (const name of sup.required) {
    if (sub.required.has(name) || inSup.hidden.has(name)) continue;
    if (direction === 'request') {
      // Not described so far, so callers can't know it.
      const known = inSub.names.has(name);
      const words = known ? `${name} must be sent now` : `${name} is new and must be sent`;
      compared.findings.push(
        place.find(known ? 'request-property-became-required' : 'request-property-required-added', words, name),
      );
    } else if (inSub.names.has(name) || !inSup.names.has(name)) {
      compared.findings.push(
        place.find('response-property-became-optional', `${name} may be missing now, and was always there`, name),
      );
    } else if (propertyOf(sub, name).parts.length > 0 && !additionalOf(sub).closed) {
      compared.findings.push(place.find('response-property-became-optional', `${name} is no longer promised`, name));
    }
  }
}

function compareAdditional(compared: Compared, place: ObjectPlace): void {
  const { sub, sup, direction } = place;
  const has = additionalOf(sub);
  const wanted = additionalOf(sup);
  const request = direction === 'request';
  if (!has.closed && wanted.closed) {
    const words = request
      ? 'properties that are not listed are refused now'
      : 'properties that are not listed may come back now';
    compared.findings.push(place.find(request ? 'request-additional-closed' : 'response-additional-widened', words));
  } else if (!has.closed && wanted.parts.length > 0) {
    if (has.parts.length > 0) {
      compared.children.push([
        { parts: has.parts, chosen: [] },
        { parts: wanted.parts, chosen: [] },
      ]);
    } else {
      const words = request
        ? 'properties that are not listed must follow a schema now'
        : 'properties that are not listed follow no schema any more';
      compared.findings.push(
        place.find(request ? 'request-additional-narrowed' : 'response-additional-widened', words),
      );
    }
  }
  comparePatternProperties(compared, place, has.closed);
}

function comparePatternProperties(compared: Compared, place: ObjectPlace, closed: boolean): void {
  const has = patternParts(place.sub);
  for (const [pattern, parts] of patternParts(place.sup)) {
    const own = has.get(pattern);
    if (own)
      compared.children.push([
        { parts: own, chosen: [] },
        { parts, chosen: [] },
      ]);
    else if (!closed)
      compared.findings.push(
        place.find(
          'constraint-changed',
          `patternProperties ${pattern} ${place.direction === 'request' ? 'is new' : 'is gone'}`,
        ),
      );
  }
}
