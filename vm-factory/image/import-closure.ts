/** Which files of this repository and which npm packages a module needs at run time. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { builtinModules, stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { McpError } from '../../specs/errors.ts';

export interface ImportClosure {
  /** Paths relative to the root, sorted: our sources, and the packages' files below node_modules. */
  files: string[];
}

const builtin = new Set(builtinModules);
/** What a package runs on; its types, maps and manuals stay behind. */
const runtimeFile = /\.(?:js|cjs|mjs|json|wasm|node)$/;

/** Errors: IMAGE_INPUT_MISSING (a module or package that is not there). */
export async function importClosure(root: string, entries: readonly string[]): Promise<ImportClosure> {
  const sources = new Set<string>();
  const packages = new Set<string>();
  const open = entries.map((entry) => resolve(root, entry));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (sources.has(path)) continue;
    sources.add(path);
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw missing(relative(root, path), cause);
    });
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) open.push(resolve(dirname(path), specifier));
      else if (!specifier.startsWith('node:') && !builtin.has(specifier)) packages.add(packageName(specifier));
    }
  }
  const folders = await packageFolders(root, [...packages]);
  const packed = await Promise.all(folders.map((folder) => runtimeFiles(folder)));
  return { files: [...sources, ...packed.flat()].map((path) => relative(root, path)).sort() };
}

const fromClause = /^((?:import|export)\s(?!type\s)[^;'"]*?\bfrom\s+['"])([^'"]+)(['"])/gm;

/** Specifiers of a module's static imports and re-exports that exist at run time. */
export function importsOf(source: string): string[] {
  return [...source.matchAll(fromClause)].map(([, , specifier = '']) => specifier);
}

/** The module as JavaScript that imports JavaScript: a guest under emulation has no time to strip types. */
export function asJavaScript(source: string): string {
  return stripTypeScriptTypes(source).replaceAll(
    fromClause,
    (_, before: string, specifier: string, after: string) => `${before}${specifier.replace(/\.ts$/, '.js')}${after}`,
  );
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Folders of the packages and of all they depend on. A package inside another's folder comes with that. */
async function packageFolders(root: string, names: string[]): Promise<string[]> {
  const top = join(root, 'node_modules');
  const seen = new Set<string>();
  const open = names.map((name) => ({ name, from: root }));
  for (let next = open.pop(); next; next = open.pop()) {
    const folder = (await isFolder(join(next.from, 'node_modules', next.name)))
      ? join(next.from, 'node_modules', next.name)
      : join(top, next.name);
    if (seen.has(folder)) continue;
    seen.add(folder);
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch((cause: unknown) => {
      throw missing(`the npm package ${next.name}`, cause);
    });
    const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
    open.push(...Object.keys(dependencies).map((name) => ({ name, from: folder })));
  }
  return [...seen].filter((folder) => ![...seen].some((other) => folder.startsWith(`${other}/`)));
}

async function runtimeFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && runtimeFile.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function missing(what: string, cause: unknown): McpError {
  return new McpError('IMAGE_INPUT_MISSING', `${what} is needed in the image and is not here`, {
    cause,
    hint: 'Run npm ci, and see that the checkout is whole.',
  });
}
