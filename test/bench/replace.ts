/**
 * `npm run bench -- replace`: kill -9 of the only machine of a service until its replacement answers through the gateway, against
 * the registry's own session expiry (kill -9 of a process that holds an ephemeral node) in the same run.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readState } from '../../mcp/local/state.ts';
import type { StatusView } from '../../mcp/view/status-view.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { examples, instancesOf, runMcp, settled } from '../helpers/local-environment.ts';
import type { BenchResult } from './main.ts';

const rounds = 5;
const sessionTimeoutMs = 10_000;
const execute = promisify(execFile);
const holder = fileURLToPath(new URL('../helpers/ephemeral-holder.ts', import.meta.url));

/** Medians of five interleaved rounds. */
export async function run(): Promise<BenchResult> {
  const parent = await mkdtemp(join(tmpdir(), 'mcp-bench-'));
  const dir = join(parent, 'state');
  const mcp = async (...words: string[]) => {
    const result = await runMcp([...words, '--state', dir]);
    if (result.code !== 0) throw new Error(`mcp ${words.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  try {
    await mcp(
      'up',
      '--file',
      join(examples, 'hosting.yaml'),
      '--port',
      '0',
      '--provider',
      'process',
      '--session-timeout',
      String(sessionTimeoutMs),
      '--json',
    );
    await mcp('scale', 'dns', '1', '--yes');
    const replaced: number[] = [];
    const expired: number[] = [];
    for (let round = 0; round < rounds; round++) {
      replaced.push(await replaceOnce(dir, mcp));
      expired.push(await expireOnce(dir));
    }
    const ours = median(replaced);
    const peer = median(expired);
    const ratio = ours / peer;
    return {
      name: 'replace',
      rows: [
        {
          metric: 'kill -9 of a machine to the first answer of its replacement',
          unit: 'ms',
          ours,
          peer,
          peerName: `session expiry, ${sessionTimeoutMs / 1000} s timeout`,
          ratio,
          target: 'ratio <= 0.25',
          holds: ratio <= 0.25,
        },
      ],
    };
  } finally {
    await runMcp(['down', '--state', dir]);
    await rm(parent, { recursive: true, force: true });
  }
}

async function replaceOnce(dir: string, mcp: (...words: string[]) => Promise<string>): Promise<number> {
  const before = await waitFor(
    mcp,
    (status) => settled(status) && instancesOf(status, 'dns').length === 1 && status.pool.ready > 0,
  );
  const state = readState(dir);
  const victim = instancesOf(before, 'dns')[0]?.machine ?? '';
  const url = `http://${state?.gateway.address}:${state?.gateway.port}/dns/zones`;
  const { stdout } = await execute('pgrep', ['-f', `agent run .*--machine .*${victim}`]);
  const started = performance.now();
  process.kill(-Number(stdout.trim().split('\n')[0]), 'SIGKILL');
  for (;;) {
    const response = await fetch(url, { headers: { connection: 'close' } }).catch(() => null);
    await response?.arrayBuffer();
    if (response?.status === 200 && response.headers.get('x-served-by') !== victim) return performance.now() - started;
    if (performance.now() - started > 60_000) throw new Error('no replacement within a minute');
    await pause(5);
  }
}

async function waitFor(
  mcp: (...words: string[]) => Promise<string>,
  holds: (status: StatusView) => boolean,
): Promise<StatusView> {
  for (let tries = 0; tries < 200; tries++) {
    const status = JSON.parse(await mcp('status', '--json')) as StatusView;
    if (holds(status)) return status;
  }
  throw new Error('the environment does not settle');
}

/** Kills a process that holds an ephemeral node and waits until the server removes the node. */
async function expireOnce(dir: string): Promise<number> {
  const state = readState(dir);
  if (!state) throw new Error('no environment');
  // Outside of the environment's own tree, which is closed to strangers.
  const registry = `127.0.0.1:${state.zookeeperPort}`;
  const client = await connectZooKeeper(registry, { sessionTimeoutMs });
  const path = `/bench-${performance.now()}`;
  const child = spawn(process.execPath, [holder, registry, path, String(sessionTimeoutMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const gone = Promise.withResolvers<void>();
    await client.exists(path, { watch: () => gone.resolve() });
    const started = performance.now();
    child.kill('SIGKILL');
    await gone.promise;
    return performance.now() - started;
  } finally {
    child.kill('SIGKILL');
    await client.close();
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
