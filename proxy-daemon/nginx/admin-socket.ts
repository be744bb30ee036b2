/** The daemon's socket to nginx: in a directory that only this user can enter. */
import { dirname } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import { makeOwnDirectory, socketPlace } from '../socket-place.ts';

export function adminSocketPath(dir: string): string {
  return socketPlace(dir, 'admin/nginx.sock', 'gateway');
}

/** Makes the socket's directory. Throws GATEWAY_ADMIN where it is someone else's, or open to others. */
export function makeAdminDirectory(socketPath: string): void {
  const dir = dirname(socketPath);
  if (makeOwnDirectory(dir, 0o700, 0o077)) return;
  throw new McpError('GATEWAY_ADMIN', `${dir} is not only this user's: whoever can enter it could change routes`, {
    hint: 'Remove it, or take all rights from others (chmod 700), then start the gateway again.',
  });
}
