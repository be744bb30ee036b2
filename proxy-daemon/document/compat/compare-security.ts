import { canonicalJson } from '../../../specs/canonical-json.ts';
import { entriesOf, isObject, type JsonObject, objectAt } from '../json.ts';
import { locate, type OperationSide, type Sink } from './operation-side.ts';

/** Who may call: every way in that the live document offers must still be open. Pure. */

interface Need {
  /** The scheme as it counts on the wire, so that renaming it is no change. */
  scheme: string;
  name: string;
  scopes: ReadonlySet<string>;
}

export function compareSecurity(sink: Sink): void {
  const before = waysIn(sink.live);
  const after = waysIn(sink.next);
  const place = { live: securityAt(sink.live), next: securityAt(sink.next) };
  for (const way of before) {
    if (after.some((other) => isOpenTo(way, other))) continue;
    const words = way.length === 0 ? 'needs a login now' : `${wordsOf(way)} is not enough any more`;
    sink.find('security-stricter', words, place);
  }
  const easier = after.filter((way) => !before.some((other) => isOpenTo(way, other)));
  if (easier.length > 0 && before.every((way) => after.some((other) => isOpenTo(way, other)))) {
    const words = easier.map((way) => (way.length === 0 ? 'no login' : wordsOf(way))).join(', or ');
    sink.find('security-looser', `${words} is enough now`, place);
  }
}

/** No `security` anywhere, and an empty list, mean that everybody may. */
function waysIn(operation: OperationSide): Need[][] {
  const { root } = operation.side;
  const list = Array.isArray(operation.operation.security) ? operation.operation.security : root.security;
  if (!Array.isArray(list) || list.length === 0) return [[]];
  return list.filter(isObject).map((way) =>
    entriesOf(way).map(([name, scopes]) => ({
      scheme: schemeOf(operation, name),
      name,
      scopes: new Set(Array.isArray(scopes) ? scopes.map(String) : []),
    })),
  );
}

function isOpenTo(way: readonly Need[], other: readonly Need[]): boolean {
  return other.every((need) =>
    way.some((own) => own.scheme === need.scheme && [...need.scopes].every((scope) => own.scopes.has(scope))),
  );
}

function schemeOf({ side }: OperationSide, name: string): string {
  const schemes = objectAt(objectAt(side.root, 'components'), 'securitySchemes');
  const scheme = locate(side, schemes[name], '')?.value;
  if (!scheme) return `unknown ${name}`;
  const { type, in: place, name: key, scheme: http, openIdConnectUrl } = scheme;
  if (type === 'apiKey') return canonicalJson([type, place, place === 'header' ? String(key).toLowerCase() : key]);
  if (type === 'http') return canonicalJson([type, String(http).toLowerCase()]);
  // Where a token is fetched is compared apart: a token itself is not bound to the address.
  return type === 'openIdConnect' ? canonicalJson([type, openIdConnectUrl]) : canonicalJson([type]);
}

function wordsOf(way: readonly Need[]): string {
  return way.map(({ name, scopes }) => (scopes.size > 0 ? `${name} (${[...scopes].join(', ')})` : name)).join(' with ');
}

function securityAt({ operation, itemAt, method }: OperationSide): string {
  return Array.isArray(operation.security) ? `${itemAt}/${method}/security` : '/security';
}

/** Addresses at which logins and tokens are had, for the schemes of the same name and kind in both documents. */
export function changedLogins(live: JsonObject, next: JsonObject): string[] {
  const schemes = (document: JsonObject) => objectAt(objectAt(document, 'components'), 'securitySchemes');
  const after = schemes(next);
  return entriesOf(schemes(live)).flatMap(([name, scheme]) => {
    const other = objectAt(after, name);
    if (!isObject(scheme) || scheme.type !== 'oauth2' || other.type !== 'oauth2') return [];
    return canonicalJson(logins(scheme)) === canonicalJson(logins(other)) ? [] : [name];
  });
}

function logins(scheme: JsonObject): unknown {
  return entriesOf(objectAt(scheme, 'flows')).map(([flow, value]) => {
    const { authorizationUrl, tokenUrl, refreshUrl } = isObject(value) ? value : {};
    return [flow, authorizationUrl, tokenUrl, refreshUrl];
  });
}
