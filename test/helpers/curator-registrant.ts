/** Curator's own Java client, registering a service: a true peer of the dialect. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { zooKeeperClassPath } from '../../registrar/zookeeper/server.ts';
import { eventually } from './eventually.ts';

const jars = ['curator-x-discovery', 'curator-framework', 'curator-client', 'jackson-databind', 'jackson-core']
  .concat(['jackson-annotations', 'guava', 'slf4j-api', 'zookeeper-jute'])
  .map((name) => `/usr/share/java/${name}.jar`);

export class CuratorRegistrant {
  readonly #child: ChildProcessWithoutNullStreams;
  #lines: string[] = [];
  #output = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      this.#lines.push(...lines);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#output = (this.#output + chunk).slice(-4000);
    });
    child.stdin.on('error', () => {});
  }

  /**
   * Starts it and connects; `base` is the path that its services register below. `compatible` is how Curator writes by default:
   * without `enabled`, for older readers.
   */
  static async start(
    t: { teardown(fn: () => Promise<void>): void },
    connectString: string,
    base: string,
    writes: 'compatible' | 'new',
  ): Promise<CuratorRegistrant> {
    const options = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    const classPath = [...jars, zooKeeperClassPath()].join(':');
    const source = join(import.meta.dirname, 'CuratorRegistrant.java');
    const log = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
    const child = spawn('java', [...options, log, '-cp', classPath, source, connectString, base, writes]);
    const registrant = new CuratorRegistrant(child);
    t.teardown(() => registrant.kill());
    await registrant.#line('its start');
    return registrant;
  }

  /** One command and its answer; see the source. */
  async say(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`);
    return await this.#line(command);
  }

  /** SIGKILL; its session goes on until it expires. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  async #line(what: string): Promise<string> {
    await eventually(
      `Curator's answer to ${what}`,
      () => this.#lines.length > 0 || this.#child.exitCode !== null,
      60_000,
    );
    const line = this.#lines.shift();
    if (line === undefined) throw new Error(`Curator ended: ${this.#output}`);
    return line;
  }
}
