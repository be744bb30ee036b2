import { operationsOf } from './grammar.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt, pointerTokens, valueAt } from './json.ts';
import type { LiveVersion } from './live-versions.ts';

/**
 * Two versions may spell one path with other parameter names (`/zones/{id}`, `/zones/{zone}`). OpenAPI takes those for
 * the same path and allows only one, so later versions get the spelling of the first. Pure.
 */
export function withAlignedPaths(versions: readonly LiveVersion[]): LiveVersion[] {
  const spellings = new Map<string, string>();
  return versions.map(({ version, document }) => {
    const paths: JsonObject = {};
    for (const [path, item] of entriesOf(objectAt(document, 'paths'))) {
      const template = path.replace(/\{[^{}]*\}/g, '{}');
      const spelling = spellings.get(template) ?? path;
      spellings.set(template, spelling);
      paths[spelling] =
        spelling === path || !isObject(item) ? item : withNames(document, item, namePairs(path, spelling));
    }
    return { version, document: { ...document, paths } };
  });
}

function namePairs(from: string, to: string): Map<string, string> {
  const names = (path: string) => [...path.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? '');
  const wanted = names(to);
  return new Map(names(from).map((name, index) => [name, wanted[index] ?? name]));
}

function withNames(document: JsonObject, item: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  const rename = (holder: JsonObject): JsonObject =>
    Array.isArray(holder.parameters)
      ? { ...holder, parameters: holder.parameters.map((parameter) => renamed(document, parameter, names)) }
      : holder;
  return {
    ...rename(item),
    ...Object.fromEntries(operationsOf(item).map(([method, operation]) => [method, rename(operation)])),
  };
}

function renamed(document: JsonObject, parameter: Json, names: ReadonlyMap<string, string>): Json {
  let whole: Json | undefined = parameter;
  for (let steps = 0; isObject(whole) && typeof whole.$ref === 'string' && steps < 10; steps++) {
    whole = valueAt(document, pointerTokens(whole.$ref.slice(1)));
  }
  if (!isObject(whole) || whole.in !== 'path' || typeof whole.name !== 'string') return parameter;
  const name = names.get(whole.name);
  return name === undefined || name === whole.name ? parameter : { ...whole, name };
}
