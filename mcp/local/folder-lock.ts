/**
 * One `up` or `down` at a time works on a state folder. The lock is an abstract Unix socket: the kernel lets go of it
 * whenever its holder ends, however it ends, so there is no stale lock and nothing to clean up. Linux only.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { type ProcessIdentity, readStartTime } from '../../registrar/process-identity.ts';

/** Who holds the folder: which process, and its command line. */
export interface FolderHolder {
  identity: ProcessIdentity;
  argv: string[];
}

export interface HoldOptions {
  signal: AbortSignal;
  /** Called each time that somebody else turns out to hold the folder; null where it can't be told who. */
  onBusy: (holder: FolderHolder | null) => void;
}

/** Waits until the folder, which need not exist, is free, and holds it. Gives what lets go of it again. */
export async function holdFolder(dir: string, { signal, onBusy }: HoldOptions): Promise<() => void> {
  const name = lockName(dir);
  for (;;) {
    signal.throwIfAborted();
    const release = await tryHold(name);
    if (release) return release;
    onBusy(findHolder(name));
    signal.throwIfAborted();
    await untilReleased(name, signal);
  }
}

/** The same for every spelling of one folder, another for each user. */
function lockName(dir: string): string {
  const path = join(realOrSame(dirname(dir)), basename(dir));
  return `mcp-${createHash('sha256')
    .update(`${process.getuid?.() ?? 0}:${path}`)
    .digest('hex')
    .slice(0, 40)}`;
}

function realOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function tryHold(name: string): Promise<(() => void) | null> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<Socket>();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on('error', () => {}).once('close', () => waiting.delete(socket));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(`\0${name}`, () => {
      server.unref();
      resolve(() => {
        server.close();
        for (const socket of waiting) socket.destroy();
      });
    });
  });
}

/** Resolves when the holder let go, or ended. */
function untilReleased(name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: `\0${name}` });
    const onAbort = () => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket
      .on('error', () => {})
      .once('close', () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      })
      .resume();
  });
}

/** As the kernel tells it: the process that has the listening socket open. */
function findHolder(name: string): FolderHolder | null {
  const inode = socketInode(name);
  if (inode === null) return null;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !hasOpen(entry, `socket:[${inode}]`)) continue;
    const pid = Number(entry);
    const startTime = readStartTime(pid);
    if (startTime !== null) return { identity: { pid, startTime }, argv: argvOf(pid) };
  }
  return null;
}

/** A line ends in `<inode> @<name>`; of all sockets with that path only the listening one has the flag 00010000. */
function socketInode(name: string): string | null {
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[7] === `@${name}` && fields[3] === '00010000') return fields[6] ?? null;
  }
  return null;
}

function hasOpen(pid: string, target: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => readlinkSync(join(folder, fd)) === target);
  } catch {
    // Another user's, or gone.
    return false;
  }
}

function argvOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  } catch {
    return [];
  }
}
