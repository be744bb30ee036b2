/** The socket at which nginx asks the daemon. Whoever may see /status may ask, so everybody of this machine may too. */
import { dirname } from 'node:path';
import { makeOwnDirectory, socketPlace } from '../socket-place.ts';

export function daemonSocketPath(dir: string): string {
  return socketPlace(dir, 'daemon.sock', 'daemon');
}

/** Makes the socket's directory. False where somebody else could put another socket into it. */
export function makeSocketDirectory(socketPath: string): boolean {
  return makeOwnDirectory(dirname(socketPath), 0o755, 0o022);
}
