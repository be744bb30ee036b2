import { withAlignedPaths } from './aligned-paths.ts';
import { type ComponentSection, type Method, operationsOf } from './grammar.ts';
import { isObject, type Json, type JsonObject, pointerTokens } from './json.ts';
import { annotate, indexVersions, type LiveVersion } from './live-versions.ts';
import { type Fragment, type Naming, namespaceDocument } from './namespace.ts';
import { servicePrefix, versionPrefix } from './prefix.ts';
import { withoutUnused } from './reachable.ts';

/**
 * The fragment of one service with all its live versions. The first version is the one shown; operations that only another
 * version has are added and marked, and where versions differ the operation says so. Pure.
 */

/** `versions` is not empty; the first one is the one shown. `nested`: see Naming. */
export function serviceFragment(
  service: string,
  route: string,
  versions: readonly LiveVersion[],
  nested: readonly string[],
): Fragment {
  const [main, ...others] = versions;
  if (main === undefined) return { paths: {}, webhooks: {}, components: {}, tags: [], leftOut: [], operations: 0 };
  const naming: Naming = { service, version: main.version, route, prefix: servicePrefix(service), nested };
  if (others.length === 0) return namespaceDocument(main.document, naming);
  const aligned = withAlignedPaths(versions);
  const index = indexVersions(aligned, route);
  const fragments = aligned.map(({ version, document }) => {
    if (version === main.version) {
      const alsoLive = others.map((other) => other.version);
      return namespaceDocument(annotate(document, version, index, false), { ...naming, alsoLive });
    }
    const keep = (method: Method, path: string) => index.owner(version, method, path) === version;
    const fragment = namespaceDocument(annotate(document, version, index, true), {
      ...naming,
      version,
      prefix: versionPrefix(service, version),
      keep,
    });
    return withoutUnused(fragment);
  });
  return fragments.reduce(join);
}

function join(a: Fragment, b: Fragment): Fragment {
  const paths: Record<string, JsonObject> = { ...a.paths };
  for (const [path, item] of Object.entries(b.paths)) {
    const known = paths[path];
    paths[path] = known === undefined ? item : { ...withOwnParameters(item, b), ...withOwnParameters(known, a) };
  }
  const components: Fragment['components'] = { ...a.components };
  for (const [section, named] of Object.entries(b.components) as [ComponentSection, Record<string, Json>][]) {
    components[section] = { ...components[section], ...named };
  }
  const names = new Set(a.tags.map(({ name }) => name));
  return {
    paths,
    webhooks: { ...a.webhooks, ...b.webhooks },
    components,
    tags: [...a.tags, ...b.tags.filter(({ name }) => !names.has(name))],
    leftOut: [...a.leftOut, ...b.leftOut],
    operations: a.operations + b.operations,
  };
}

/** The path item with its parameters moved into its operations: two versions' items may differ in those. */
function withOwnParameters(item: JsonObject, fragment: Fragment): JsonObject {
  const { parameters, ...rest } = item;
  const shared = Array.isArray(parameters) ? parameters : [];
  if (shared.length === 0) return item;
  const operations = operationsOf(item).map(([method, operation]) => {
    const own = Array.isArray(operation.parameters) ? operation.parameters : [];
    const overridden = new Set(own.map((parameter) => parameterKey(parameter, fragment)));
    const inherited = shared.filter((parameter) => !overridden.has(parameterKey(parameter, fragment)));
    return [method, { ...operation, parameters: [...own, ...inherited] }];
  });
  return { ...rest, ...Object.fromEntries(operations) };
}

function parameterKey(parameter: Json, fragment: Fragment): string {
  let whole: Json | undefined = parameter;
  for (let steps = 0; isObject(whole) && typeof whole.$ref === 'string' && steps < 10; steps++) {
    const [, section = '', name = ''] = pointerTokens(whole.$ref.slice(1));
    whole = fragment.components[section as ComponentSection]?.[name];
  }
  return isObject(whole) ? `${String(whole.in)} ${String(whole.name)}` : '';
}
