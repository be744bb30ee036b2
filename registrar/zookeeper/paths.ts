/** Paths of the registry: what is a legal one, parents, and the chroot in front of them. */
import { registryError } from './errors.ts';

// Control characters, surrogates, private use and specials: what ZooKeeper's server refuses.
// biome-ignore lint/suspicious/noControlCharactersInRegex: that they are refused is the point
const forbidden = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

/** Throws REGISTRY_BAD_ARGUMENTS unless `path` is absolute and legal. Sequential ones may end in a slash. */
export function checkPath(path: string, options: { sequential?: boolean } = {}): void {
  const reason = pathProblem(options.sequential ? `${path}0` : path);
  if (reason !== '') throw registryError('REGISTRY_BAD_ARGUMENTS', `${JSON.stringify(path)} ${reason}`);
}

function pathProblem(path: string): string {
  if (typeof path !== 'string' || path === '') return 'is not a path';
  if (!path.startsWith('/')) return 'does not start with a slash';
  if (path === '/') return '';
  if (path.endsWith('/')) return 'ends with a slash';
  if (forbidden.test(path)) return 'has a character that paths must not have';
  for (const part of path.slice(1).split('/')) {
    if (part === '') return 'has an empty part';
    if (part === '.' || part === '..') return 'has a relative part';
  }
  return '';
}

/** `/a` for `/a/b`, `/` for `/a` and for `/`. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** `b` for `/a/b`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `/a/b` for (`/a`, `b`), `/b` for (`/`, `b`). */
export function childOf(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** Puts the chroot (empty for none) in front of a client's path. */
export function toServerPath(chroot: string, path: string): string {
  if (chroot === '') return path;
  return path === '/' ? chroot : chroot + path;
}

/** Takes the chroot off a server's path; null where the path lies outside of it. */
export function toClientPath(chroot: string, path: string): string | null {
  if (chroot === '') return path;
  if (path === chroot) return '/';
  return path.startsWith(`${chroot}/`) ? path.slice(chroot.length) : null;
}
