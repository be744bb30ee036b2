/** Keeps the access log within its bounds: put aside when it is large, and nginx told to begin another one. */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { AccessLogSpec } from '../../specs/front-door.ts';
import { findMaster } from '../nginx/nginx-workers.ts';
import type { GatewayPaths } from '../nginx/paths.ts';

/** Looks once. Without `spec` nothing is logged, and what was is left. Never throws. */
export function rotateLog(paths: GatewayPaths, spec: AccessLogSpec | undefined): void {
  if (spec === undefined || (statSync(paths.accessLog, { throwIfNoEntry: false })?.size ?? 0) <= spec.bytes) return;
  const master = findMaster(paths);
  if (master === null) return;
  try {
    putAside(paths.accessLog, spec.keep);
    // nginx writes to the file put aside until it has heard.
    process.kill(master, 'SIGUSR1');
  } catch {
    // A full disk: tried again.
  }
}

/** `access.log.1` is the newest. With none to keep, nginx's file is removed once it is large. */
function putAside(path: string, keep: number): void {
  const directory = dirname(path);
  for (const name of readdirSync(directory)) {
    const [, number] = new RegExp(`^${basename(path)}\\.(\\d+)$`).exec(name) ?? [];
    if (number !== undefined && Number(number) >= keep) rmSync(join(directory, name), { force: true });
  }
  for (let number = keep - 1; number >= 1; number -= 1) {
    if (existsSync(`${path}.${number}`)) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  }
  if (keep > 0) renameSync(path, `${path}.1`);
  else rmSync(path, { force: true });
}
