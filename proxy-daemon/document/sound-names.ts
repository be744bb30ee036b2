import { type ComponentSection, componentSections, isReference, transform } from './grammar.ts';
import { entriesOf, fragmentToken, isObject, type Json, type JsonObject, objectAt, pointerTokens } from './json.ts';

/**
 * Gives components whose names OpenAPI does not allow (`Page<User>`, `Page«User»`, as generators write them) names that it does,
 * wherever they are named. Wants OpenAPI 3.0 or 3.1. Pure.
 */
export function withSoundNames(document: JsonObject, say: (note: string) => void): JsonObject {
  const renamed = soundNames(objectAt(document, 'components'), say);
  if (renamed.size === 0) return document;
  const newRef = (ref: string): string => {
    if (!ref.startsWith('#/components/')) return ref;
    const [root = '', section = '', name = '', ...rest] = pointerTokens(ref.slice(1));
    const other = renamed.get(`${section} ${name}`);
    return other === undefined
      ? ref
      : `#${[root, section, other, ...rest].map((token) => `/${fragmentToken(token)}`).join('')}`;
  };
  const needs = (security: Json | undefined) =>
    Array.isArray(security)
      ? {
          security: security.map((need) => renamedKeys(need, (name) => renamed.get(`securitySchemes ${name}`) ?? name)),
        }
      : {};
  return transform(document, 'document', (node, kind) => {
    const own = isReference(node, kind) ? { ...node, $ref: newRef(node.$ref) } : node;
    if (kind === 'operation' || kind === 'document') return { ...own, ...needs(own.security) };
    if (kind === 'components') return withRenamedSections(own, renamed);
    if (kind !== 'schema' || !isObject(own.discriminator) || !isObject(own.discriminator.mapping)) return own;
    const mapping = entriesOf(own.discriminator.mapping).map(([value, target]) => [
      value,
      typeof target === 'string' ? (renamed.get(`schemas ${target}`) ?? newRef(target)) : target,
    ]);
    return { ...own, discriminator: { ...own.discriminator, mapping: Object.fromEntries(mapping) } };
  });
}

/** From `section name` to the new name. */
function soundNames(components: JsonObject, say: (note: string) => void): Map<string, string> {
  const renamed = new Map<string, string>();
  for (const section of componentSections) {
    const names = Object.keys(objectAt(components, section));
    const taken = new Set(names);
    for (const name of names) {
      if (/^[A-Za-z0-9._-]+$/.test(name)) continue;
      const base = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^-+|-+$/g, '') || 'unnamed';
      let sound = base;
      for (let count = 2; taken.has(sound); count++) sound = `${base}-${count}`;
      taken.add(sound);
      renamed.set(`${section} ${name}`, sound);
      say(`#/components/${section}: ${JSON.stringify(name.slice(0, 80))} is called ${sound}`);
    }
  }
  return renamed;
}

function withRenamedSections(components: JsonObject, renamed: ReadonlyMap<string, string>): JsonObject {
  const rename = (section: ComponentSection) =>
    renamedKeys(objectAt(components, section), (name) => renamed.get(`${section} ${name}`) ?? name);
  const sections = componentSections.filter((section) => isObject(components[section]));
  return { ...components, ...Object.fromEntries(sections.map((section) => [section, rename(section)])) };
}

function renamedKeys(map: Json, rename: (name: string) => string): Json {
  return isObject(map) ? Object.fromEntries(entriesOf(map).map(([name, value]) => [rename(name), value])) : map;
}
