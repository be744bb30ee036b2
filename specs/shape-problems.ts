/** zod's issues to problems: each at its own place in the file, in words that say what to write instead. */
import { z } from 'zod';
import { didYouMean, nearMiss } from './near-miss.ts';
import { type Problem, printable } from './problems.ts';
import type { Path, YamlTree } from './yaml-tree.ts';

interface Flaw {
  path: Path;
  on: 'key' | 'value';
  message: string;
  /** The key of the map at `path` that is missing, where that is the flaw. */
  missing?: string;
}

/** Problems of a value that failed `schema`. */
export function shapeProblems(tree: YamlTree, schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): Problem[] {
  const suggested = new Set<string>();
  const flaws = issues.flatMap((issue) => flawsOf(tree.value, schema, issue, [], suggested));
  const seen = new Set<string>();
  const isFirst = ({ path, on, missing }: Flaw) => {
    // One value breaking several rules at once is one mistake.
    const id = JSON.stringify([path, on, missing]);
    return !seen.has(id) && seen.add(id);
  };
  return flaws
    .filter(({ path, missing }) => missing === undefined || !suggested.has(JSON.stringify([...path, missing])))
    .filter(isFirst)
    .map(({ path, on, message }) => ({ ...(on === 'key' ? tree.keyAt(path) : tree.valueAt(path)), message }));
}

/** The services' names that have at least one issue. */
export function flawedServices(issues: readonly z.core.$ZodIssue[]): Set<string> {
  return new Set(issues.filter(({ path }) => path[0] === 'services').map(({ path }) => String(path[1])));
}

function flawsOf(
  value: unknown,
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  above: Path,
  suggested: Set<string>,
): Flaw[] {
  const path = [...above, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  const found = valueAt(value, path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => {
      const near = nearMiss(key, known);
      if (near !== undefined) suggested.add(JSON.stringify([...path, near]));
      return { path: [...path, key], on: 'key', message: unknownKey(key, near, known) };
    });
  }
  if (issue.code === 'invalid_key') {
    return [
      {
        path,
        on: 'key',
        message: `${issue.issues[0]?.message ?? issue.message}; "${printable(String(path.at(-1)))}" is not`,
      },
    ];
  }
  if (issue.code === 'invalid_union' && isMap(found)) {
    const ofMap = issue.errors.find(
      (branch) =>
        branch.some(({ path }) => path.length > 0) ||
        branch.some(({ code }) => code === 'unrecognized_keys' || code === 'custom'),
    );
    if (ofMap) return ofMap.flatMap((inner) => flawsOf(value, schema, inner, path, suggested));
  }
  const name = nameOf(path);
  if (found === undefined && path.length > 0) {
    const missing = String(path.at(-1));
    return [{ path: path.slice(0, -1), on: 'key', message: `${missing} is missing`, missing }];
  }
  if (found === null) return [{ path, on: 'value', message: `${name} is blank: give it a value, or leave it out` }];
  const said = issue.message.startsWith('must ') ? `${name} ${issue.message}` : issue.message;
  const isOfWrongKind = issue.code === 'invalid_type' || issue.code === 'invalid_union';
  const instead = Array.isArray(found) && !isOfWrongKind ? '' : insteadOf(found);
  const near =
    issue.code === 'invalid_value' && typeof found === 'string' ? didYouMean(found, issue.values.map(String)) : '';
  return [{ path, on: 'value', message: `${said}${instead}${near}` }];
}

function unknownKey(key: string, near: string | undefined, known: readonly string[]): string {
  const advice = near === undefined ? `; known here: ${known.join(', ')}` : `, did you mean "${near}"?`;
  return `unknown key "${printable(key).slice(0, 80)}"${advice}`;
}

/** `count`, `command[0]`, `the file`. */
function nameOf(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return 'the file';
  return typeof last === 'number' ? `${nameOf(path.slice(0, -1))}[${last}]` : printable(last);
}

/** `, not the text "3"`: what was found, where that helps. */
function insteadOf(found: unknown): string {
  if (typeof found === 'string')
    return `, not the text "${printable(found.length > 60 ? `${found.slice(0, 60)}...` : found)}"`;
  if (typeof found === 'number' || typeof found === 'boolean') return `, not ${String(found)}`;
  return Array.isArray(found) ? ', not a list' : '';
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}

/** The keys that the map at a path may have. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  let at: unknown = unwrapped(schema);
  for (const step of path) {
    if (at instanceof z.ZodObject) at = unwrapped(at.shape[step]);
    else if (at instanceof z.ZodRecord) at = unwrapped(at.valueType);
    else if (at instanceof z.ZodArray) at = unwrapped(at.element);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional) return unwrapped(schema.unwrap());
  if (schema instanceof z.ZodUnion)
    return schema.options.map(unwrapped).find((option) => option instanceof z.ZodObject);
  return schema;
}
