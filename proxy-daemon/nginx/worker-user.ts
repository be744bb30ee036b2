/** Which user nginx's workers should be. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const unprivileged = 'www-data';

/**
 * As root: `www-data`, provided that it exists and can reach `dir` (a project below /root it can't); else root itself, named
 * outright, since nginx would otherwise take `nobody`. As anyone else: null, since nginx can't change its user then.
 */
export function workerUser(dir: string): string | null {
  if (process.getuid?.() !== 0) return null;
  return userExists(unprivileged) && isOpenToAll(dir) ? unprivileged : 'root';
}

/** The numbers of that user and its group; null where workers have the user that starts nginx. */
export function workerOf(dir: string): { uid: number; gid: number } | null {
  const name = workerUser(dir);
  const [, , uid, gid] = name === null ? [] : (accountOf(name)?.split(':') ?? []);
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

function userExists(name: string): boolean {
  return accountOf(name) !== undefined;
}

function accountOf(name: string): string | undefined {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${name}:`));
  } catch {
    return undefined;
  }
}

/** Every directory from the root down to `dir` can be entered by others. */
function isOpenToAll(dir: string): boolean {
  const mayEnter = (statSync(dir).mode & 0o001) !== 0;
  return mayEnter && (dirname(dir) === dir || isOpenToAll(dirname(dir)));
}
