import { differences } from './compare-operations.ts';
import { serverBase } from './gateway-paths.ts';
import { type Method, operationsOf } from './grammar.ts';
import { entriesOf, isObject, type Json, type JsonObject, objectAt } from './json.ts';

/** What a caller must know of an operation when several versions of a service are live. Pure. */

export interface LiveVersion {
  version: string;
  /** Made by normaliseDocument. */
  document: JsonObject;
}

export interface VersionIndex {
  /** Which version's description of the operation is shown: the first that has it. */
  owner: (version: string, method: Method, path: string) => string | undefined;
  /** All versions in order, with how each one's operation compares with the one shown. */
  compared: (version: string, method: Method, path: string) => JsonObject[];
}

/** Operations are the same where method and path at the gateway are, whatever the names of path parameters. */
export function indexVersions(versions: readonly LiveVersion[], route: string): VersionIndex {
  type Found = { version: string; document: JsonObject; item: JsonObject; operation: JsonObject };
  const found = new Map<string, Found[]>();
  const keys = new Map<string, string>();
  for (const { version, document } of versions) {
    for (const [path, item] of entriesOf(objectAt(document, 'paths'))) {
      if (!isObject(item)) continue;
      for (const [method, operation] of operationsOf(item)) {
        const key = `${method} ${serverBase(route, operation, item, document)}${path.replace(/\{[^{}]*\}/g, '{}')}`;
        keys.set(`${version} ${method} ${path}`, key);
        found.set(key, [...(found.get(key) ?? []), { version, document, item, operation }]);
      }
    }
  }
  const all = (version: string, method: Method, path: string) =>
    found.get(keys.get(`${version} ${method} ${path}`) ?? '') ?? [];
  return {
    owner: (version, method, path) => all(version, method, path)[0]?.version,
    compared: (version, method, path) => {
      const [shown, ...rest] = all(version, method, path);
      return versions.map(({ version: other }) => {
        const there = [shown, ...rest].find((place) => place?.version === other);
        if (!shown || !there) return { version: other, state: 'absent' };
        if (there === shown) return { version: other, state: 'shown' };
        const found = differences(shown, there);
        if (found.length === 0) return { version: other, state: 'same' };
        const differs = found.map(({ part }) => part);
        const details = found.flatMap((one) => one.details.map((detail) => `${one.part}: ${detail}`));
        return { version: other, state: 'differs', differs, details };
      });
    },
  };
}

/** The document with every operation telling which versions have it. Own `x-mcp-` keys of a service never get here. */
export function annotate(document: JsonObject, version: string, index: VersionIndex, only: boolean): JsonObject {
  const paths = entriesOf(objectAt(document, 'paths')).map(([path, item]): [string, Json] => {
    if (!isObject(item)) return [path, item];
    const changed: JsonObject = { ...item };
    for (const [method, operation] of operationsOf(item)) {
      if (index.owner(version, method, path) !== version) continue;
      const versions = index.compared(version, method, path);
      const note = versionNote(version, versions, only);
      const description = typeof operation.description === 'string' ? operation.description : '';
      changed[method] = {
        ...operation,
        ...(note === '' ? {} : { description: description === '' ? note : `${note}\n\n${description}` }),
        ...(versions.some(({ state }) => state === 'absent') ? { 'x-mcp-version-only': presentIn(versions) } : {}),
        'x-mcp-versions': versions,
      };
    }
    return [path, changed];
  });
  return { ...document, paths: Object.fromEntries(paths) };
}

function presentIn(versions: readonly JsonObject[]): string[] {
  return versions.filter(({ state }) => state !== 'absent').map(({ version }) => String(version));
}

function versionNote(version: string, versions: readonly JsonObject[], only: boolean): string {
  const notes: string[] = [];
  const absent = versions.filter(({ state }) => state === 'absent').map((entry) => String(entry.version));
  if (absent.length > 0) {
    notes.push(
      `**Only in version ${presentIn(versions).join(', ')}**: instances of ${absent.join(', ')} do not know this operation.`,
    );
  }
  for (const other of versions) {
    if (other.state !== 'differs' || !Array.isArray(other.differs)) continue;
    const details = Array.isArray(other.details)
      ? other.details.map((detail) => `\n- \`${String(detail).replaceAll('`', "'")}\``)
      : [];
    notes.push(
      `Version ${String(other.version)} differs in ${other.differs.join(', ')}; shown is ${version}.${details.join('')}\n`,
    );
  }
  if (notes.length === 0 && only) notes.push(`Shown is version ${version}.`);
  return notes.join(' ').trimEnd();
}
