import { type ComponentSection, componentKinds, isReference, type Kind, operationsOf, visitAll } from './grammar.ts';
import { isObject, type Json, type JsonObject, objectAt, pointerTokens } from './json.ts';
import type { Fragment } from './namespace.ts';

/** Only what the fragment's operations reach, so that a version shown in part does not bring all its schemas. */
export function withoutUnused(fragment: Fragment): Fragment {
  const used = new Set<string>();
  const open: { node: JsonObject; kind: Kind }[] = Object.values(fragment.paths).map((node) => ({
    node,
    kind: 'pathItem',
  }));
  const reach = (pointer: string) => {
    const [, section = '', name = ''] = pointerTokens(pointer);
    const key = `${section} ${name}`;
    const node = fragment.components[section as ComponentSection]?.[name];
    if (used.has(key) || node === undefined) return;
    used.add(key);
    if (isObject(node)) open.push({ node, kind: componentKinds[section as ComponentSection] });
  };
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    visitAll(next.node, next.kind, (node, kind) => {
      if (isReference(node, kind)) reach(node.$ref.slice(1));
      if (kind === 'schema' && isObject(node.discriminator)) {
        for (const target of Object.values(objectAt(node.discriminator, 'mapping'))) {
          if (typeof target === 'string' && target.startsWith('#/')) reach(target.slice(1));
        }
      }
      if (kind === 'operation' && Array.isArray(node.security)) {
        for (const need of node.security) {
          for (const name of isObject(need) ? Object.keys(need) : []) reach(`/components/securitySchemes/${name}`);
        }
      }
    });
  }
  const components: Fragment['components'] = {};
  for (const [section, named] of Object.entries(fragment.components) as [ComponentSection, Record<string, Json>][]) {
    const kept = Object.entries(named).filter(([name]) => used.has(`${section} ${name}`));
    if (kept.length > 0) components[section] = Object.fromEntries(kept);
  }
  const tagsUsed = new Set(
    Object.values(fragment.paths).flatMap((item) =>
      operationsOf(item).flatMap(([, { tags }]) => (Array.isArray(tags) ? tags : [])),
    ),
  );
  return { ...fragment, components, tags: fragment.tags.filter(({ name = null }) => tagsUsed.has(name)) };
}
