import { gatewayPath, serverBase, takenBy } from './gateway-paths.ts';
import {
  type ComponentSection,
  componentSections,
  isReference,
  type Kind,
  type Method,
  operationsOf,
  transform,
} from './grammar.ts';
import {
  entriesOf,
  fragmentToken,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  pointerTokens,
  valueAt,
} from './json.ts';

/**
 * One document as a fragment that can be joined with any other: every name that is global to a document (components,
 * operation ids, tags, security schemes, webhooks, dynamic anchors) begins with the service's prefix, every path with its
 * route, and nothing depends on the document's root (servers and security are moved to where they apply). Pure.
 */

export interface Naming {
  service: string;
  version: string;
  /** URL prefix at the gateway. */
  route: string;
  /** What names begin with, without the `_`; see prefix.ts. */
  prefix: string;
  /** Other versions that are live beside this one. */
  alsoLive?: readonly string[];
  /** Routes of other services inside this one: they take the requests, so such operations can't be called here. */
  nested: readonly string[];
  /** Tells which operations to keep; absent: all. */
  keep?: (method: Method, path: string) => boolean;
}

export interface LeftOut {
  service: string;
  version: string;
  method?: string;
  /** At the gateway. */
  path?: string;
  reason: string;
}

export interface Fragment {
  /** By path at the gateway. */
  paths: Record<string, JsonObject>;
  webhooks: Record<string, JsonObject>;
  components: Partial<Record<ComponentSection, Record<string, Json>>>;
  tags: JsonObject[];
  leftOut: LeftOut[];
  /** Number of operations in `paths`. */
  operations: number;
}

/** Wants a document made by normaliseDocument. */
export function namespaceDocument(document: JsonObject, naming: Naming): Fragment {
  const places = placeOperations(document, naming);
  const rename = renamer(document, naming, places);
  const fragment: Fragment = {
    paths: {},
    webhooks: {},
    components: {},
    tags: namespacedTags(document, naming),
    leftOut: places.leftOut,
    operations: places.kept.length,
  };
  for (const { item, method, operation, target } of places.kept) {
    const inherited = operation.security ?? document.security;
    // Servers within callbacks stay: those requests do not come through this gateway.
    const { servers, ...own } = operation;
    const whole = inherited === undefined ? own : { ...own, security: inherited };
    const shared = fragment.paths[target] ?? transform(sharedPart(item), 'pathItem', rename);
    fragment.paths[target] = { ...shared, [method]: transform(whole, 'operation', rename) };
  }
  if (!naming.keep) {
    for (const [name, item] of entriesOf(objectAt(document, 'webhooks'))) {
      if (isObject(item)) fragment.webhooks[`${naming.prefix}_${name}`] = transform(item, 'pathItem', rename);
    }
  }
  const components = transform(objectAt(document, 'components'), 'components', rename);
  for (const section of componentSections) {
    const named = entriesOf(objectAt(components, section)).map(([name, value]) => [`${naming.prefix}_${name}`, value]);
    if (named.length > 0) fragment.components[section] = Object.fromEntries(named);
  }
  return fragment;
}

interface Place {
  item: JsonObject;
  method: Method;
  operation: JsonObject;
  /** Path at the service. */
  path: string;
  /** Path at the gateway. */
  target: string;
}

interface Places {
  kept: Place[];
  leftOut: LeftOut[];
  /** `method path` at the service, to the path at the gateway. */
  targets: Map<string, string>;
  /** Operation ids that only operations left out have. */
  goneIds: Set<string>;
}

function placeOperations(document: JsonObject, naming: Naming): Places {
  const places: Places = { kept: [], leftOut: [], targets: new Map(), goneIds: new Set() };
  const taken = new Set<string>();
  const { service, version } = naming;
  for (const [path, item] of entriesOf(objectAt(document, 'paths'))) {
    if (!isObject(item) || path.startsWith('x-')) continue;
    for (const [method, operation] of operationsOf(item)) {
      if (typeof operation.operationId === 'string') places.goneIds.add(operation.operationId);
      if (naming.keep && !naming.keep(method, path)) continue;
      const target = gatewayPath(naming.route, serverBase(naming.route, operation, item, document), path);
      const other = takenBy(target, naming.nested);
      const key = `${method} ${target}`;
      const reason = whyLeftOut(method, other, taken.has(key));
      if (reason !== undefined) {
        places.leftOut.push({ service, version, method, path: target, reason });
        continue;
      }
      taken.add(key);
      places.kept.push({ item, method, operation, path, target });
      places.targets.set(`${method} ${path}`, target);
    }
  }
  for (const { operation } of places.kept)
    if (typeof operation.operationId === 'string') places.goneIds.delete(operation.operationId);
  return places;
}

function whyLeftOut(method: Method, other: string | undefined, isTaken: boolean): string | undefined {
  // nginx answers it with 405 whatever its configuration says.
  if (method === 'trace') return 'the gateway passes on no TRACE';
  if (other !== undefined) return `requests go to the route ${other}`;
  return isTaken ? 'the service itself has another operation there' : undefined;
}

/** What a path item says of all its operations. */
function sharedPart(item: JsonObject): JsonObject {
  const own = new Set<string>(['servers', ...operationsOf(item).map(([method]) => method)]);
  return Object.fromEntries(entriesOf(item).filter(([key]) => !own.has(key)));
}

/** The visitor that renames everything global in one object. */
function renamer(document: JsonObject, naming: Naming, places: Places): (node: JsonObject, kind: Kind) => JsonObject {
  const { prefix } = naming;
  const used = new Map<string, number>();
  const change: Partial<Record<Kind, (node: JsonObject) => JsonObject>> = {
    operation: (node) => {
      const { tags, operationId, security, ...rest } = node;
      const renamed: JsonObject = { tags: operationTags(tags, naming), ...rest };
      if (typeof operationId === 'string') renamed.operationId = uniqueId(used, `${prefix}_${operationId}`);
      if (Array.isArray(security)) renamed.security = security.map((need) => renameKeys(need, prefix));
      return renamed;
    },
    components: (node) => withoutDeadLinks(node, document, places),
    response: (node) => withoutDeadLinks(node, document, places),
    link: (node) => renameLink(node, prefix, places),
    schema: (node) => renameSchema(node, prefix),
  };
  return (node, kind) => {
    const renamed = withRenamedExtensions(change[kind]?.(node) ?? node, document, prefix);
    return isReference(renamed, kind) ? { ...renamed, $ref: renameRef(renamed.$ref, prefix) } : renamed;
  };
}

function renameRef(ref: string, prefix: string): string {
  const [root, section, name, ...rest] = pointerTokens(ref.slice(1));
  if (root !== 'components' || section === undefined || name === undefined) return ref;
  return `#${[root, section, `${prefix}_${name}`, ...rest].map((token) => `/${fragmentToken(token)}`).join('')}`;
}

/** Extensions are data, but a reference to a component in one is meant as a reference, and tools resolve it. */
function withRenamedExtensions(node: JsonObject, document: JsonObject, prefix: string): JsonObject {
  let changed = node;
  for (const key of Object.keys(node)) {
    const value = node[key];
    if (!key.startsWith('x-') || typeof value !== 'object' || value === null) continue;
    const renamed = renameDeep(value, document, prefix);
    if (renamed !== value) changed = { ...changed, [key]: renamed };
  }
  return changed;
}

function renameDeep(value: Json, document: JsonObject, prefix: string): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => renameDeep(item, document, prefix));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  const entries = entriesOf(value).map(([key, item]): [string, Json] => {
    const isRef = key === '$ref' && typeof item === 'string' && item.startsWith('#/components/');
    if (!isRef) return [key, renameDeep(item, document, prefix)];
    return [key, valueAt(document, pointerTokens(item.slice(1))) === undefined ? item : renameRef(item, prefix)];
  });
  return entries.some(([key, item]) => item !== value[key]) ? Object.fromEntries(entries) : value;
}

function renameKeys(need: Json, prefix: string): Json {
  return isObject(need)
    ? Object.fromEntries(entriesOf(need).map(([name, scopes]) => [`${prefix}_${name}`, scopes]))
    : need;
}

function renameSchema(schema: JsonObject, prefix: string): JsonObject {
  const changed: JsonObject = { ...schema };
  if (isObject(schema.discriminator)) {
    const mapping = entriesOf(objectAt(schema.discriminator, 'mapping')).map(([value, target]) => [
      value,
      typeof target === 'string' && target.startsWith('#/components/') ? renameRef(target, prefix) : target,
    ]);
    if (mapping.length > 0) changed.discriminator = { ...schema.discriminator, mapping: Object.fromEntries(mapping) };
  }
  if (typeof schema.$dynamicAnchor === 'string') changed.$dynamicAnchor = `${prefix}_${schema.$dynamicAnchor}`;
  if (typeof schema.$dynamicRef === 'string') {
    changed.$dynamicRef = schema.$dynamicRef.replace(/^#(?!\/)/, `#${prefix}_`);
    if (schema.$dynamicRef.startsWith('#/')) changed.$dynamicRef = renameRef(schema.$dynamicRef, prefix);
  }
  return changed;
}

/** A link to an operation that can't be called any more is dropped, with the references to it. */
function withoutDeadLinks(holder: JsonObject, document: JsonObject, places: Places): JsonObject {
  if (!isObject(holder.links)) return holder;
  const live = entriesOf(holder.links).filter(([, link]) => isObject(link) && !leadsNowhere(link, document, places));
  return { ...holder, links: Object.fromEntries(live) };
}

function leadsNowhere(link: JsonObject, document: JsonObject, places: Places, depth = 0): boolean {
  if (typeof link.$ref === 'string' && depth < 10) {
    const target = valueAt(document, pointerTokens(link.$ref.slice(1)));
    return isObject(target) && leadsNowhere(target, document, places, depth + 1);
  }
  if (typeof link.operationId === 'string') return places.goneIds.has(link.operationId);
  const operation = operationTokens(link);
  return operation !== undefined && !places.targets.has(`${operation.method} ${operation.path}`);
}

/** Links point at operations, which have moved. */
function renameLink(link: JsonObject, prefix: string, places: Places): JsonObject {
  const { server, ...rest } = link;
  if (typeof link.operationId === 'string') return { ...rest, operationId: `${prefix}_${link.operationId}` };
  const operation = operationTokens(link);
  const target = operation && places.targets.get(`${operation.method} ${operation.path}`);
  return target === undefined
    ? rest
    : { ...rest, operationRef: `#/paths/${fragmentToken(target)}/${operation?.method}` };
}

function operationTokens(link: JsonObject): { method: string; path: string } | undefined {
  if (typeof link.operationRef !== 'string' || !link.operationRef.startsWith('#/paths/')) return undefined;
  const [, path = '', method = ''] = pointerTokens(link.operationRef.slice(1));
  return { path, method };
}

function uniqueId(used: Map<string, number>, id: string): string {
  const count = (used.get(id) ?? 0) + 1;
  used.set(id, count);
  return count === 1 ? id : uniqueId(used, `${id}_${count}`);
}

function operationTags(tags: Json | undefined, { service }: Naming): string[] {
  const own = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
  return own.length === 0 ? [service] : [...new Set(own)].map((tag) => tagName(service, tag));
}

function tagName(service: string, tag: string): string {
  return tag.toLowerCase() === service ? service : `${service}: ${tag}`;
}

/** One tag for the service, then its own ones, declared or only used. */
function namespacedTags(document: JsonObject, { service, version, prefix, alsoLive = [] }: Naming): JsonObject[] {
  const info = objectAt(document, 'info');
  const title = typeof info.title === 'string' && info.title !== '' ? info.title : service;
  const live = alsoLive.length === 0 ? '' : ` (also live: ${alsoLive.join(', ')})`;
  const about = typeof info.description === 'string' ? `\n\n${info.description}` : '';
  const tags = new Map<string, JsonObject>([
    [service, { name: service, 'x-displayName': title, description: `${title}, version ${version}${live}.${about}` }],
  ]);
  for (const tag of Array.isArray(document.tags) ? document.tags : []) {
    if (!isObject(tag) || typeof tag.name !== 'string') continue;
    const name = tagName(service, tag.name);
    if (tags.has(name)) continue;
    tags.set(name, { ...withRenamedExtensions(tag, document, prefix), name, 'x-displayName': tag.name });
  }
  for (const item of Object.values(objectAt(document, 'paths'))) {
    for (const [, operation] of isObject(item) ? operationsOf(item) : []) {
      for (const tag of Array.isArray(operation.tags) ? operation.tags : []) {
        if (typeof tag !== 'string') continue;
        const name = tagName(service, tag);
        if (!tags.has(name)) tags.set(name, { name, 'x-displayName': tag });
      }
    }
  }
  return [...tags.values()];
}
