/**
 * The gateway's pages, copied into its directory: nginx goes on serving them whatever becomes of the project's own folder.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDirectory, replaceFile } from '../files.ts';
import type { GatewayPaths } from './paths.ts';

const pages = fileURLToPath(new URL('../pages/', import.meta.url));
const swaggerUi = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));

const copies: { from: string; to: string }[] = [
  ...['index.html', 'docs.css', 'docs.js'].map((name) => ({ from: join(pages, 'docs', name), to: `docs/${name}` })),
  // The page itself is written by the daemon.
  ...['status.css', 'status.js', 'view.js', 'services.js', 'explanation.js', 'figures.js', 'dom.js', 'tree.js'].map(
    (name) => ({ from: join(pages, 'status', name), to: `status/${name}` }),
  ),
  ...['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png', 'LICENSE', 'NOTICE'].map((name) => ({
    from: join(swaggerUi, name),
    to: `docs/${name}`,
  })),
];

export function installStaticFiles(paths: GatewayPaths): void {
  for (const directory of [paths.dir, dirname(paths.errorLog), paths.temp, paths.generations]) makeDirectory(directory);
  for (const { from, to } of copies) {
    const target = join(paths.www, to);
    makeDirectory(dirname(target));
    replaceFile(target, readFileSync(from));
  }
}

const luaSources = fileURLToPath(new URL('./lua/', import.meta.url));

/** Copies nginx's Lua code likewise. Gives the digest of all of it: other code needs a reload. */
export function installLua(paths: GatewayPaths): string {
  const hash = createHash('sha256');
  const names = readdirSync(luaSources, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
  for (const name of names.sort()) {
    const target = join(paths.lua, name);
    const source = readFileSync(join(luaSources, name));
    makeDirectory(dirname(target));
    replaceFile(target, source);
    hash.update(`${name}\n`).update(source);
  }
  return hash.digest('hex').slice(0, 16);
}
