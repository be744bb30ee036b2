/** Real ZooKeeper servers for tests, each with a temporary data folder and ports of its own on 127.0.0.1. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerMode, ServerOptions } from '../../registrar/zookeeper/server.ts';
import { untilServing, writeServerFiles, zooKeeperServer } from '../../registrar/zookeeper/server.ts';
import { freePort } from './free-port.ts';

export interface StartOptions {
  /** Data folder; without it a temporary one, removed by `stop`. */
  dir?: string;
  port?: number;
  /** ms; default 500, so sessions may be as short as 1 s; they may be up to 60 s long. */
  tickTime?: number;
  ensemble?: ServerOptions['ensemble'];
  settings?: ServerOptions['settings'];
  /** For java's own options, e.g. `-Dname=value`. */
  javaOptions?: string;
}

export interface TestZooKeeper {
  readonly port: number;
  readonly connectString: string;
  readonly dir: string;
  readonly pid: number | undefined;
  /** Ends the server and removes its temporary folder. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL; the data stays for `restart`. */
  kill(): Promise<void>;
  /** Starts it again (killing it first if it runs) with the same data and port; resolves when it serves. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): void;
  resume(): void;
  /** What it has logged since its last start. */
  log(): string;
}

/** Starts one server and waits until it serves. */
export async function startZooKeeper(options: StartOptions = {}): Promise<TestZooKeeper> {
  const server = await launch(options);
  await server.untilServing();
  return server;
}

/** Starts an ensemble of `size` servers and waits until all of them serve. */
export async function startEnsemble(size: number, options: StartOptions = {}): Promise<TestZooKeeper[]> {
  const members: { id: number; peerPort: number; electionPort: number }[] = [];
  for (let id = 1; id <= size; id++) members.push({ id, peerPort: await freePort(), electionPort: await freePort() });
  const servers: Server[] = [];
  try {
    for (const { id } of members) servers.push(await launch({ ...options, ensemble: { id, members } }));
    await Promise.all(servers.map((server) => server.untilServing()));
    return servers;
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

async function launch(options: StartOptions): Promise<Server> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'mcp-zookeeper-')));
  const server = new Server(dir, options.port ?? (await freePort()), options);
  await server.start();
  return server;
}

class Server implements TestZooKeeper {
  readonly dir: string;
  readonly port: number;
  readonly #options: StartOptions;
  #process: ChildProcess | null = null;
  #log = '';

  constructor(dir: string, port: number, options: StartOptions) {
    this.dir = dir;
    this.port = port;
    this.#options = options;
  }

  get connectString(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    const { tickTime = 500, ensemble, settings, javaOptions = '' } = this.#options;
    const { command, args, env, files } = zooKeeperServer({
      dir: this.dir,
      clientPort: this.port,
      tickTimeMs: tickTime,
      fsync: false,
      ensemble,
      settings: { maxSessionTimeout: 60_000, ...settings },
    });
    await writeServerFiles(files);
    this.#log = '';
    const child = spawn(command, args, {
      env: { ...process.env, ...env, JDK_JAVA_OPTIONS: javaOptions },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-100_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => collect(Buffer.from(String(error))));
    this.#process = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  async untilServing(): Promise<ServerMode> {
    const ended = new AbortController();
    const child = this.#process;
    const onExit = () => ended.abort(new Error(`ZooKeeper ended at its start:\n${this.#log}`));
    child?.once('exit', onExit);
    try {
      return await untilServing(this.port, { timeoutMs: 60_000, signal: ended.signal });
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      child?.off('exit', onExit);
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
    await this.untilServing();
  }

  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    // Nothing a test needs is lost by SIGKILL, and it also ends a paused server.
    await this.#end('SIGKILL');
    if (this.#options.dir === undefined) await rm(this.dir, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await Promise.race([gone, sleep(10_000, undefined, { ref: false })]);
  }
}

const running = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
