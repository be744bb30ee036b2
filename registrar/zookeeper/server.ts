/**
 * How to run a ZooKeeper server from Debian's packages: its configuration, its java command line, and whether it answers.
 * Starting and stopping the process is the caller's (`mcp up`, the tests).
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpError } from '../../specs/errors.ts';

export interface ServerOptions {
  /** Configuration and data live below it. */
  dir: string;
  clientPort: number;
  /** Loopback unless told otherwise: the server asks nobody for a password. */
  host?: string;
  /** Length of a tick, ms; sessions may be 2 to 20 ticks long. Default 2000. */
  tickTimeMs?: number;
  /** Java heap, MB. Default 256. */
  maxHeapMb?: number;
  /** false: writes are acknowledged before they are on disk. Only for data that may be lost with the machine. */
  fsync?: boolean;
  /** A member of an ensemble: its own number and everyone's ports. */
  ensemble?: { id: number; members: { id: number; peerPort: number; electionPort: number }[] };
  /** Further lines of zoo.cfg (TLS and the like). */
  settings?: Readonly<Record<string, string | number>>;
}

export interface ServerCommand {
  command: string;
  args: string[];
  env: Record<string, string>;
  /** To be written before the start, see `writeServerFiles`. */
  files: { path: string; content: string }[];
}

const jarFolders = ['/usr/share/java', '/usr/local/share/java'];

/** The class path with ZooKeeper on it. Throws ZOOKEEPER_NOT_INSTALLED. */
export function zooKeeperClassPath(): string {
  const folder = jarFolders.find((candidate) => existsSync(join(candidate, 'zookeeper.jar')));
  if (folder === undefined) {
    throw new McpError('ZOOKEEPER_NOT_INSTALLED', `there is no zookeeper.jar in ${jarFolders.join(' or ')}`, {
      hint: 'Install it: apt-get install zookeeper default-jre-headless',
    });
  }
  // zookeeper.jar names its own dependencies, but for the logger's backend and, in Debian, what Netty (TLS) needs besides.
  return ['zookeeper.jar', 'slf4j-simple.jar', 'netty-codec.jar', 'netty-resolver.jar']
    .map((jar) => join(folder, jar))
    .filter((jar) => existsSync(jar))
    .join(':');
}

/** The command line and files of one server. Does nothing yet. Throws ZOOKEEPER_NOT_INSTALLED. */
export function zooKeeperServer(options: ServerOptions): ServerCommand {
  const { dir, clientPort, host = '127.0.0.1', ensemble } = options;
  const dataDir = join(dir, 'data');
  const config = join(dir, 'zoo.cfg');
  const lines: Record<string, string | number> = {
    tickTime: options.tickTimeMs ?? 2000,
    initLimit: 20,
    syncLimit: 10,
    dataDir,
    clientPort,
    clientPortAddress: host,
    maxClientCnxns: 0,
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': 'srvr,ruok,mntr',
    'autopurge.snapRetainCount': 3,
    'autopurge.purgeInterval': 1,
    ...options.settings,
  };
  for (const { id, peerPort, electionPort } of ensemble?.members ?? []) {
    lines[`server.${id}`] = `${host}:${peerPort}:${electionPort}`;
  }
  const content = Object.entries(lines).map(([key, value]) => `${key}=${String(value).replaceAll('\\', '\\\\')}\n`);
  return {
    command: 'java',
    args: [
      `-Xmx${options.maxHeapMb ?? 256}m`,
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-XX:+ExitOnOutOfMemoryError',
      '-Djava.awt.headless=true',
      '-Djava.net.preferIPv4Stack=true',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dzookeeper.jmx.log4j.disable=true',
      '-Dzookeeper.extendedTypesEnabled=true',
      // Whoever selects a connection reads from it, too: to hand it to another thread costs each request some 0.1 ms.
      '-Dzookeeper.nio.numWorkerThreads=0',
      `-Dzookeeper.forceSync=${options.fsync === false ? 'no' : 'yes'}`,
      '-cp',
      zooKeeperClassPath(),
      'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      config,
    ],
    env: { JMXDISABLE: 'true' },
    files: [
      { path: config, content: content.join('') },
      ...(ensemble ? [{ path: join(dataDir, 'myid'), content: `${ensemble.id}\n` }] : []),
    ],
  };
}

/**
 * Writes a server's files, making their folders, for its own user alone: what nobody may read in the registry stands in its logs and
 * snapshots.
 */
export async function writeServerFiles(files: ServerCommand['files']): Promise<void> {
  for (const { path, content } of files) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // One that was there before.
    await chmod(dirname(path), 0o700);
    await writeFile(path, content);
  }
}

/** Sends one of ZooKeeper's four-letter words and gives the whole answer. Rejects when nothing comes within `timeoutMs`. */
function fourLetterWord(word: string, port: number, host = '127.0.0.1', timeoutMs = 2000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    // Not half-closed: a server on Netty would drop the connection without an answer.
    const socket = connect({ host, port }, () => socket.write(word));
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer to ${word} from ${host}:${port}`)));
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

export type ServerMode = 'standalone' | 'leader' | 'follower' | 'observer';

/** What the server says it is; null while it does not serve. */
export async function serverMode(port: number, host?: string): Promise<ServerMode | null> {
  const answer = await fourLetterWord('srvr', port, host).catch(() => '');
  const mode = /^Mode: (standalone|leader|follower|observer)$/m.exec(answer)?.[1];
  return (mode as ServerMode | undefined) ?? null;
}

/** Resolves with its mode once the server serves. Rejects with ZOOKEEPER_NOT_ANSWERING, or the signal's reason. */
export async function untilServing(
  port: number,
  options: { host?: string; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<ServerMode> {
  const { host = '127.0.0.1', timeoutMs = 30_000, signal } = options;
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    signal?.throwIfAborted();
    const mode = await serverMode(port, host);
    if (mode) return mode;
    await sleep(50, undefined, { signal });
  }
  throw new McpError('ZOOKEEPER_NOT_ANSWERING', `ZooKeeper on ${host}:${port} does not serve after ${timeoutMs} ms`, {
    hint: 'Look into its log file.',
    retryable: true,
  });
}
