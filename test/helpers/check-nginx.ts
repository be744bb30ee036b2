/** What nginx makes of a configuration, asked as a user who can read no secret: what reaches for one is refused there, and is seen. */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian's `nobody`, who owns nothing. */
const nobody = { uid: 65_534, gid: 65_534 };

export interface CheckedConfiguration {
  /** What it says against it; empty where it accepts it. */
  problem: string;
  /** Configuration files that it read. */
  files: string[];
}

/** `nginx -T` in `dir`, as nobody where we are root (else as ourselves), with nothing in its environment. The file is candidate.conf. */
export function checkNginx(dir: string, text: string): CheckedConfiguration {
  const isRoot = process.getuid?.() === 0;
  for (const part of ['logs', 'temp', 'admin']) mkdirSync(join(dir, part), { recursive: true });
  if (isRoot) for (const part of ['', 'logs', 'temp', 'admin']) chownSync(join(dir, part), nobody.uid, nobody.gid);
  // nginx makes those below temp/ and what it logs to; whoever ran it before may have made them.
  if (isRoot)
    for (const part of ['logs', 'temp'])
      for (const name of readdirSync(join(dir, part))) chownSync(join(dir, part, name), nobody.uid, nobody.gid);
  const file = join(dir, 'candidate.conf');
  writeFileSync(file, text, { mode: 0o644 });
  const run = spawnSync('/usr/sbin/nginx', ['-T', '-q', '-e', join(dir, 'startup.log'), '-c', file], {
    ...(isRoot ? nobody : {}),
    ...{ encoding: 'utf8', env: {}, maxBuffer: 2 ** 28 },
  });
  const files = [...run.stdout.matchAll(/^# configuration file (.*):$/gm)].map(([, name = '']) => name);
  return { problem: run.status === 0 ? '' : run.stderr || `ended by ${run.signal}`, files };
}
