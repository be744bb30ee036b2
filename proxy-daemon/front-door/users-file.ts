/** An htpasswd file, checked before nginx is given it: lines of a user and a hash that takes some work, but not too much. */
import { readLocal, UnusableFile } from './key-pair.ts';

/**
 * Hashes that nginx checks in its workers, which serve nobody meanwhile: so bcrypt beyond cost 10 (about 50 ms) is refused. So are those
 * that fall to a list of words in no time: plain text, unsalted SHA-1, DES.
 */
const hash =
  /^(?:\$apr1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}|\$2[aby]\$(?:0[4-9]|10)\$[./0-9A-Za-z]{53}|\$[56]\$(?:rounds=[1-9]\d{3,4}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43,86}|\{SSHA\}[+/0-9A-Za-z]{32,80}=*)$/;

/** Its users and hashes, and nothing else of it. Throws UnusableFile, which holds nothing of its content but line numbers. */
export function readUsers(path: string): Buffer {
  const lines = readLocal(path).toString('utf8').split(/\r?\n/);
  const users = lines.flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [, user = '', secret = ''] = /^([^\s:]{1,64}):([^:]+)(?::.*)?$/.exec(line) ?? [];
    const place = `line ${index + 1} of ${path}`;
    if (user === '' || !/^[\x21-\x7e]+$/.test(user)) throw new UnusableFile(`${place} is not user:hash`);
    if (!hash.test(secret)) {
      throw new UnusableFile(
        `${place} has no hash that is accepted: apr1, SHA-256 or SHA-512 crypt, SSHA, or bcrypt up to cost 10`,
      );
    }
    return [`${user}:${secret}\n`];
  });
  if (users.length === 0) throw new UnusableFile(`${path} names no user`);
  return Buffer.from(users.join(''));
}
