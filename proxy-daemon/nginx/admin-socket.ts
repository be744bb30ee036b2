/** Where the daemon's socket to nginx is: in a directory that only this user can enter. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { McpError } from '../../specs/errors.ts';

/** A socket's path holds 107 bytes and an end. */
const longestPath = 100;

/** In the gateway's own directory, or, where that is too deep, in one named after it below the system's for temporary files. */
export function adminSocketPath(dir: string): string {
  const own = join(dir, 'admin', 'nginx.sock');
  if (Buffer.byteLength(own) <= longestPath) return own;
  const name = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  return join(tmpdir(), `mcp-gateway-${process.getuid?.() ?? 0}-${name}`, 'nginx.sock');
}

/** Makes the socket's directory. Throws GATEWAY_ADMIN where it is someone else's, or open to others. */
export function makeAdminDirectory(socketPath: string): void {
  const dir = dirname(socketPath);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(dir);
  const isOurs = uid === (process.getuid?.() ?? uid) && (mode & 0o077) === 0;
  if (isOurs) return;
  throw new McpError('GATEWAY_ADMIN', `${dir} is not only this user's: whoever can enter it could change routes`, {
    hint: 'Remove it, or take all rights from others (chmod 700), then start the gateway again.',
  });
}
