/** The socket at which nginx asks the daemon. Whoever may see /status may ask, so everybody of this machine may too. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A socket's path holds 107 bytes and an end. */
const longestPath = 100;

/** In the gateway's own directory, or, where that is too deep, in one named after it below the system's for temporary files. */
export function daemonSocketPath(dir: string): string {
  const own = join(dir, 'daemon.sock');
  if (Buffer.byteLength(own) <= longestPath) return own;
  const name = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  return join(tmpdir(), `mcp-daemon-${process.getuid?.() ?? 0}-${name}`, 'daemon.sock');
}

/** Makes the socket's directory. False where somebody else could put another socket into it. */
export function makeSocketDirectory(socketPath: string): boolean {
  const dir = dirname(socketPath);
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const { uid, mode } = lstatSync(dir);
  return uid === (process.getuid?.() ?? uid) && (mode & 0o022) === 0;
}
