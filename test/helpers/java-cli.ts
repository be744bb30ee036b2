/** ZooKeeper's own Java client on its command line (zkCli), fed by stdin: the other client that ours is compared with. */

import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { zooKeeperClassPath } from '../../registrar/zookeeper/server.ts';
import { eventually } from './eventually.ts';

export class JavaCli {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';
  #markers = 0;

  constructor(connectString: string) {
    const java = [
      'java',
      ...['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dfile.encoding=UTF-8'],
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      ...['-cp', zooKeeperClassPath(), 'org.apache.zookeeper.ZooKeeperMain', '-server', connectString],
    ];
    // One stream for both outputs: what it writes to them keeps its order.
    this.#child = spawn('sh', ['-c', 'exec "$@" 2>&1', 'sh', ...java]);
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.#output += chunk;
    });
    this.#child.stdin.on('error', () => {});
  }

  /** Runs one command and gives what it printed. */
  async run(command: string): Promise<string> {
    const from = this.#output.length;
    // A command whose answer we know ends the output of the one before it.
    const marker = `/marker-${++this.#markers}`;
    this.#child.stdin.write(`${command}\ndelete ${marker}\n`);
    await this.#until(`the answer to ${command}`, () => this.#output.includes(marker, from));
    return this.#output.slice(from, this.#output.indexOf('Node does not exist', from)).trim();
  }

  /** Waits for a watch event; `about` is like `NodeDataChanged path:/a`. */
  async untilEvent(about: string): Promise<void> {
    await this.#until(`the event ${about}`, () => this.#output.includes(`type:${about}\n`));
  }

  /** Ends the session and the process. */
  async quit(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.stdin.end('quit\n');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(killer);
  }

  #until(what: string, done: () => boolean): Promise<boolean> {
    return eventually(`${what}; so far:\n${this.#output}`, done, 30_000);
  }
}
