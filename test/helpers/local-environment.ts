/** A whole local environment in a folder of its own, driven through the command line as a user does. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext, TestFn } from 'ava';
import { readStatus } from '../../mcp/control/read-status.ts';
import { ownerOptions, readSecret } from '../../mcp/local/secret.ts';
import type { LocalState } from '../../mcp/local/state.ts';
import { readState, registryOf, statePaths } from '../../mcp/local/state.ts';
import { isConverged, type StatusView } from '../../mcp/view/status-view.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';

const cli = fileURLToPath(new URL('../../mcp/cli/main.ts', import.meta.url));
/** Commands are started again and again, and most of a start is compiling. */
const compiled = fileURLToPath(new URL('../../node_modules/.cache/mcp-compiled', import.meta.url));
export const examples = fileURLToPath(new URL('../../specs/examples/', import.meta.url));

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `mcp WORDS` to its end. */
export function runMcp(
  words: string[],
  { cwd = tmpdir(), env = {} }: { cwd?: string; env?: Record<string, string> } = {},
) {
  return new Promise<CliResult>((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...words], {
      cwd,
      env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result: CliResult = { code: -1, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      result.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      result.stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...result, code: code ?? -1 }));
  });
}

export interface TestEnvironment {
  dir: string;
  state: LocalState;
  /** The gateway's URL without a slash at its end. */
  url: string;
  /** Runs mcp on this environment; rejects unless the exit code is the expected one. */
  mcp(...words: string[]): Promise<CliResult>;
  mcpFails(code: number, ...words: string[]): Promise<CliResult>;
  status(): Promise<StatusView>;
  /** Polls until the condition holds; fails with the last status otherwise. */
  until(what: string, holds: (status: StatusView) => boolean, withinMs?: number): Promise<StatusView>;
}

/** What is waited for needs the processor, too. */
const betweenLooksMs = 100;

/** As `mcp status --json` tells it, without a process of its own: it is asked for again and again. */
async function readHere(dir: string, state: LocalState): Promise<StatusView> {
  const signal = AbortSignal.timeout(8_000);
  const options = { sessionTimeoutMs: 10_000, ...ownerOptions(readSecret(statePaths(dir).secret)), signal };
  const client = await connectZooKeeper(registryOf(state), options);
  try {
    const status = await readStatus(client, { signal, allowLoopback: true });
    return JSON.parse(JSON.stringify(status)) as StatusView;
  } finally {
    await client.close();
  }
}

/**
 * Brings an environment up and takes it down when the test ends, however it ends. Its machines are processes unless the
 * arguments name a provider: most of what is to be shown does not depend on it, and virtual machines take their time.
 */
export async function startEnvironment(
  t: Pick<ExecutionContext, 'teardown' | 'log'>,
  { file = join(examples, 'hosting.yaml'), args = [] as string[] } = {},
): Promise<TestEnvironment> {
  const parent = await mkdtemp(join(tmpdir(), 'mcp-environment-'));
  const dir = join(parent, 'state');
  t.teardown(async () => {
    const ended = await runMcp(['down', '--state', dir]);
    if (ended.code !== 0) t.log(ended.stdout, ended.stderr);
    await rm(parent, { recursive: true, force: true });
  });
  const provider = args.includes('--provider') ? [] : ['--provider', 'process'];
  const up = await runMcp(['up', '--state', dir, '--file', file, '--port', '0', '--json', ...provider, ...args]);
  if (up.code !== 0) throw new Error(`mcp up ended with ${up.code}\n${up.stdout}\n${up.stderr}`);
  const state = readState(dir);
  if (!state) throw new Error('mcp up left no state');
  const run = async (code: number, words: string[]) => {
    const result = await runMcp([...words, '--state', dir]);
    if (result.code === code) return result;
    throw new Error(`mcp ${words.join(' ')}: ${result.code}, not ${code}\n${result.stdout}\n${result.stderr}`);
  };
  const fromCommand = async () => JSON.parse((await run(0, ['status', '--json'])).stdout) as StatusView;
  const status = () => readHere(dir, state).catch(fromCommand);
  return {
    dir,
    state,
    url: `http://${state.gateway.address}:${state.gateway.port}`,
    mcp: (...words) => run(0, words),
    mcpFails: (code, ...words) => run(code, words),
    status,
    async until(what, holds, withinMs = 60_000) {
      const deadline = performance.now() + withinMs;
      for (;;) {
        const now = await status();
        if (holds(now)) return now;
        if (performance.now() > deadline)
          throw new Error(`not within ${withinMs} ms: ${what}\n${JSON.stringify(now, null, 2)}`);
        await systemClock.sleep(betweenLooksMs);
      }
    },
  };
}

/**
 * One environment for all tests of a file, which are to be serial: brought up before the first, taken down after the last.
 * Gives what gives it.
 */
export function shareEnvironment(
  test: TestFn,
  options: Parameters<typeof startEnvironment>[1] = {},
): () => TestEnvironment {
  const ends: (() => Promise<void> | void)[] = [];
  let shared: TestEnvironment | null = null;
  test.before(async (t) => {
    t.timeout(120_000);
    shared = await startEnvironment(
      { log: t.log, teardown: (end) => void ends.push(end as () => Promise<void>) },
      options,
    );
  });
  test.after.always(async () => {
    for (const end of ends) await end();
  });
  return () => {
    if (!shared) throw new Error('the environment did not come up');
    return shared;
  };
}

/** True where every version has its count of healthy instances and nothing else, and every gateway serves that. */
export const settled = isConverged;

/** Instances of a service, over its versions. */
export function instancesOf(status: StatusView, name: string) {
  return status.services
    .filter((service) => service.name === name)
    .flatMap(({ versions }) => versions.flatMap((version) => version.instances));
}
