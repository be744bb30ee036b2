import { isMcpError, McpError } from '../../specs/errors.ts';
import {
  type ComponentSection,
  componentKinds,
  componentSections,
  isReference,
  type Kind,
  transform,
  visitAll,
} from './grammar.ts';
import {
  childOf,
  entriesOf,
  escapeToken,
  fragmentToken,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  pointerTokens,
  valueAt,
} from './json.ts';

/**
 * Makes every reference of a 3.0 or 3.1 document point into its own components: `#/components/<section>/<name>[/deeper]`. Path items
 * are put in place, targets elsewhere become components of their own, `$id` and `$anchor` are resolved. So a later pass
 * need only rename components. Pure.
 *
 * Throws DOCUMENT_REMOTE_REF (nothing outside the document is ever read), DOCUMENT_DANGLING_REF, DOCUMENT_REF_CYCLE.
 * With `onBroken` what that gives stands in the place of a dangling reference, except that a schema becomes one that allows anything.
 */
export function localiseRefs(document: JsonObject, onBroken?: BrokenReference): JsonObject {
  const placed = placePathItems(document, onBroken);
  const names = findNames(placed);
  const added = new Map<string, { section: ComponentSection; name: string; pointer: string }>();
  const rewrite = (node: JsonObject, kind: Kind, at: string): JsonObject => {
    const plain = kind === 'schema' && names.any ? withoutNames(node) : node;
    if (!isReference(plain, kind)) return plain;
    try {
      return { ...plain, $ref: componentRef(placed, names, added, plain.$ref, kind, at) };
    } catch (error) {
      if (!onBroken || !isMcpError(error, 'DOCUMENT_DANGLING_REF')) throw error;
      const instead = onBroken(error, at);
      const { $ref, ...rest } = plain;
      if (kind === 'schema') return rest;
      return kind === 'response' ? { description: `Not described: ${error.message}` } : instead;
    }
  };
  const result = transform(placed, 'document', rewrite);
  const components: JsonObject = { ...objectAt(result, 'components') };
  // A moved part may itself refer to parts that have to move: the map grows while it is walked.
  for (const { section, name, pointer } of added.values()) {
    const target = valueAt(placed, pointerTokens(encodeURI(pointer)));
    const moved = isObject(target) ? transform(target, componentKinds[section], rewrite, pointer) : (target ?? {});
    components[section] = { ...objectAt(components, section), [name]: moved };
  }
  return added.size === 0 ? result : { ...result, components };
}

/** What stands in the place of a dangling reference; `at` is its JSON Pointer. */
export type BrokenReference = (error: McpError, at: string) => JsonObject;

interface Names {
  any: boolean;
  /** Absolute or relative `$id`, resolved against its parents, to its pointer. */
  ids: Map<string, string>;
  /** `base#anchor` to its pointer. */
  anchors: Map<string, string>;
  /** Pointers of schemas that have an `$id`, deepest last, with their base. */
  scopes: { pointer: string; base: string }[];
}

function findNames(document: JsonObject): Names {
  const names: Names = { any: false, ids: new Map(), anchors: new Map(), scopes: [] };
  visitAll(document, 'document', (node, kind, at) => {
    if (kind !== 'schema') return;
    if (typeof node.$id === 'string') {
      const base = resolveUri(node.$id, scopeOf(names, at)?.base ?? '').replace(/#$/, '');
      names.any = true;
      names.ids.set(base, at);
      names.scopes.push({ pointer: at, base });
    }
    if (typeof node.$anchor === 'string') {
      names.any = true;
      names.anchors.set(`${scopeOf(names, at)?.base ?? ''}#${node.$anchor}`, at);
    }
  });
  return names;
}

function scopeOf(names: Names, at: string): { pointer: string; base: string } | undefined {
  return names.scopes.findLast(({ pointer }) => at === pointer || at.startsWith(`${pointer}/`));
}

function resolveUri(uri: string, base: string): string {
  const anchor = 'id://local/';
  const absolute = URL.parse(uri, URL.parse(base, anchor)?.href ?? anchor)?.href ?? uri;
  return absolute.startsWith(anchor) ? absolute.slice(anchor.length) : absolute;
}

function withoutNames(schema: JsonObject): JsonObject {
  const { $id, $anchor, ...rest } = schema;
  return $id === undefined && $anchor === undefined ? schema : rest;
}

function componentRef(
  document: JsonObject,
  names: Names,
  added: Map<string, { section: ComponentSection; name: string; pointer: string }>,
  ref: string,
  kind: Kind,
  at: string,
): string {
  const tokens = follow(document, targetTokens(document, names, ref, at), ref);
  if (tokens.length === 0) throw dangling(ref, `the document itself is no ${kind}`);
  refuseLoop(document, names, tokens, kind, ref);
  const [root, section, ...rest] = tokens;
  if (root === 'components' && rest.length > 0 && componentSections.some((known) => known === section))
    return toRef(tokens);
  const wanted = sectionOf(kind);
  if (wanted === undefined) throw dangling(ref, `a ${kind} can't be kept in components`);
  const pointer = tokens.map((token) => `/${escapeToken(token)}`).join('');
  const key = `${wanted}:${pointer}`;
  const known = added.get(key) ?? { section: wanted, name: freeName(document, added, wanted, tokens), pointer };
  added.set(key, known);
  return toRef(['components', wanted, known.name]);
}

function toRef(tokens: readonly string[]): string {
  return `#${tokens.map((token) => `/${fragmentToken(token)}`).join('')}`;
}

function sectionOf(kind: Kind): ComponentSection | undefined {
  return componentSections.find((section) => componentKinds[section] === kind);
}

function freeName(
  document: JsonObject,
  added: Map<string, { section: ComponentSection; name: string }>,
  section: ComponentSection,
  tokens: readonly string[],
): string {
  const taken = new Set(Object.keys(objectAt(objectAt(document, 'components'), section)));
  for (const other of added.values()) if (other.section === section) taken.add(other.name);
  const base = tokens.join('.').replace(/[^A-Za-z0-9._-]+/g, '-');
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
  return name;
}

/** Where the reference points, as tokens from the document's root. */
function targetTokens(document: JsonObject, names: Names, ref: string, at: string): string[] {
  const scope = names.any ? scopeOf(names, at) : undefined;
  const [uri = '', fragment = ''] = ref.split('#', 2);
  let root = scope?.pointer ?? '';
  let base = scope?.base ?? '';
  if (uri !== '') {
    base = resolveUri(uri, base);
    const pointer = names.ids.get(base);
    if (pointer === undefined) {
      throw new McpError('DOCUMENT_REMOTE_REF', `refers to another document: ${ref.slice(0, 200)}`, {
        hint: 'Bundle the document into one file: other documents are never read.',
      });
    }
    root = pointer;
  }
  if (fragment !== '' && !fragment.startsWith('/')) {
    const pointer = names.anchors.get(`${base}#${fragment}`) ?? names.anchors.get(`#${fragment}`);
    if (pointer === undefined) throw dangling(ref, 'no such anchor');
    return pointerTokens(encodeURI(pointer));
  }
  const tokens = pointerTokens(fragment);
  const inside = [...pointerTokens(encodeURI(root)), ...tokens];
  // Most tools give an `$id` no meaning for `#/components/...`; so what is not found inside is looked up from the root.
  return uri === '' && valueAt(document, inside) === undefined ? tokens : inside;
}

/** The tokens of where the value really is: a pointer may lead through objects that are references themselves. */
function follow(document: JsonObject, tokens: readonly string[], ref: string): string[] {
  let place: string[] = [];
  let value: Json | undefined = document;
  let steps = 0;
  for (const token of tokens) {
    while (isObject(value) && typeof value.$ref === 'string' && childOf(value, token) === undefined) {
      if (!value.$ref.startsWith('#/') || ++steps > 100) throw dangling(ref, 'it leads through another reference');
      place = pointerTokens(value.$ref.slice(1));
      value = valueAt(document, place);
    }
    value = childOf(value, token);
    place.push(token);
  }
  if (value === undefined) throw dangling(ref, 'nothing is there');
  return place;
}

/** References that only lead to each other describe nothing. (Schemas that contain themselves are fine.) */
function refuseLoop(document: JsonObject, names: Names, start: readonly string[], kind: Kind, ref: string): void {
  const seen = new Set<string>();
  let tokens = start;
  for (;;) {
    const value = valueAt(document, tokens);
    if (!isObject(value) || !isReference(value, kind)) return;
    const pointer = tokens.map((token) => `/${escapeToken(token)}`).join('');
    if (seen.has(pointer))
      throw new McpError('DOCUMENT_REF_CYCLE', `references lead in a circle: ${ref.slice(0, 200)}`);
    seen.add(pointer);
    tokens = follow(document, targetTokens(document, names, value.$ref, pointer), value.$ref);
  }
}

function dangling(ref: string, why: string): McpError {
  return new McpError('DOCUMENT_DANGLING_REF', `${ref.slice(0, 200)}: ${why}`);
}

/** Path items that are references are replaced by what they refer to, with their own fields on top (3.1, Path Item Object). */
export function placePathItems(document: JsonObject, onBroken?: BrokenReference): JsonObject {
  const placed: JsonObject = { ...document };
  for (const section of ['paths', 'webhooks']) {
    if (!isObject(document[section])) continue;
    placed[section] = Object.fromEntries(
      entriesOf(document[section]).map(([path, item]) => {
        if (!isObject(item)) return [path, item];
        try {
          return [path, inPlace(document, item)];
        } catch (error) {
          if (!onBroken || !isMcpError(error, 'DOCUMENT_DANGLING_REF')) throw error;
          return [path, onBroken(error, `/${section}/${escapeToken(path)}`)];
        }
      }),
    );
  }
  return withoutUnusedPathItems(placed);
}

function inPlace(document: JsonObject, item: JsonObject): JsonObject {
  let merged = item;
  for (let steps = 0; typeof merged.$ref === 'string'; steps++) {
    const { $ref, ...own } = merged;
    if (!$ref.startsWith('#'))
      throw new McpError('DOCUMENT_REMOTE_REF', `refers to another document: ${$ref.slice(0, 200)}`);
    if (steps > 100) throw new McpError('DOCUMENT_REF_CYCLE', `references lead in a circle: ${$ref.slice(0, 200)}`);
    const target = valueAt(document, pointerTokens($ref.slice(1)));
    if (!isObject(target)) throw dangling($ref, 'no path item is there');
    merged = { ...target, ...own };
  }
  return merged;
}

/** Kept only where a callback still refers to them: their operations would else be listed twice. */
function withoutUnusedPathItems(document: JsonObject): JsonObject {
  const components = objectAt(document, 'components');
  if (!isObject(components.pathItems)) return document;
  let used = false;
  const { pathItems, ...others } = components;
  visitAll({ ...document, components: others }, 'document', (node, kind) => {
    if (kind === 'pathItem' && isReference(node, kind)) used = true;
  });
  return used ? { ...document, components: { ...others, pathItems } } : { ...document, components: others };
}
