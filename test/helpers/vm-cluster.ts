/** A registry, a folder of virtual machines, and controllers of them, in this process or in ones that can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { runController } from '../../mcp/control/controller.ts';
import { defaultPolicy, type Policy } from '../../mcp/plan/policy.ts';
import { paths } from '../../registrar/layout.ts';
import { publishDesired } from '../../registrar/recipes/desired-document.ts';
import { readEvents } from '../../registrar/recipes/event-log.ts';
import { formatRegistry } from '../../registrar/recipes/format-registry.ts';
import type { MachineRecord } from '../../registrar/records.ts';
import { codecs, decode } from '../../registrar/store/codecs.ts';
import { readRegistry } from '../../registrar/store/read-registry.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { isMcpError } from '../../specs/errors.ts';
import type { Service } from '../../specs/nouns.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import type { QemuProviderOptions } from '../../vm-factory/qemu/qemu-provider.ts';
import { runMcp } from './local-environment.ts';
import { sha256 } from './make-tar.ts';
import { testBlock, testCluster } from './process-machines.ts';
import { bakedImage, qemuBench, qemusBelow } from './qemu-machines.ts';

const program = fileURLToPath(new URL('controller-of-vms.ts', import.meta.url));
/** Of virtual machines' agents and of controllers. */
const sessionTimeoutMs = 4_000;
/** Real machines on a busy host, ms. */
const patienceMs = 300_000;
const lookEveryMs = 150;

const serviceSource = `
import { createServer } from 'node:http';
createServer((_, reply) => reply.end(process.env.MCP_MACHINE)).listen(Number(process.env.PORT), process.env.ADDRESS);
`;

/** As `until`, for what takes seconds and costs a whole look to ask for. */
export async function patiently<T>(
  what: string,
  ask: () => Promise<T | false | null | undefined> | T | false | null,
): Promise<T> {
  const deadline = systemClock.monotonic() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (systemClock.monotonic() > deadline) throw new Error(`waited ${patienceMs} ms in vain until ${what}`);
    await systemClock.sleep(lookEveryMs);
  }
}

/** Every wait that is there for people's sake cut short. Tests may change theirs while controllers run. */
export function hastyPolicy(): Policy {
  return {
    ...defaultPolicy,
    quietWindowMs: 200,
    stableViewMs: 100,
    lossGraceMs: 1_000,
    budgetWindowMs: 2_000,
    orphanMs: 500,
    unlistedMs: 500,
    destroyAgainMs: 2_000,
    stopGraceMs: 500,
    slowStart: { ...defaultPolicy.slowStart, backoffMs: 200 },
    pool: { ...defaultPolicy.pool, surplusGraceMs: 0 },
  };
}

export interface ChildController {
  process: ChildProcess;
  /** What it has logged. */
  log(): string;
  ended: Promise<unknown>;
}

/** @param name of its registry's root. All of it is gone when the test ends. */
export async function vmCluster(t: ExecutionContext, zookeeper: string, name: string) {
  const registry = `${zookeeper}/${name}`;
  const { dir, open } = await qemuBench(t);
  const { qemu } = await bakedImage();
  const artifacts = join(dir, 'artifacts');
  await mkdir(artifacts);
  const digest = sha256(Buffer.from(serviceSource));
  await writeFile(join(artifacts, `${digest}.mjs`), serviceSource);
  const client = await connectZooKeeper(registry, { sessionTimeoutMs: 20_000 });
  t.teardown(() => client.close());
  await formatRegistry(client, systemClock, { clusterId: testCluster });
  const words = { clusterId: testCluster, addressBlock: testBlock, stock: 0, sessionTimeoutMs };

  const service = (port: number, count: number): Service => ({
    name: 'dns',
    route: '/dns',
    config: {},
    onConfigChange: 'restart',
    drainTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
    versions: [
      {
        version: '1.0.0',
        count,
        artifact: { url: 'file:///only/the/host/has/this/service.mjs', sha256: digest },
        command: ['node', 'service.mjs'],
        port,
        env: {},
        health: { kind: 'http', path: '/', intervalMs: 200, timeoutMs: 2_000, rise: 1, fall: 3 },
        digest: sha256(Buffer.from(`${digest} ${port}`)),
      },
    ],
  });

  async function declare(pool: number, services: Service[] = []): Promise<void> {
    const environment = {
      name: 'test',
      pool: { size: pool, image: minimalImage },
      gateway: { title: '', description: '' },
      services,
    };
    const words = { environment, author: 'test', reason: '', allowance: {}, at: systemClock.now() };
    await publishDesired(client, words);
  }

  /** A controller in this process. */
  function lead(id: string, policy: Policy, options: Partial<QemuProviderOptions> = {}): () => Promise<void> {
    const provider = open({ ...words, artifacts, ...options });
    const end = new AbortController();
    const silent = { info() {}, warn() {}, error() {} };
    const done = runController({
      id,
      clusterId: testCluster,
      provider,
      policy,
      registry,
      connect: (call) => connectZooKeeper(registry, { sessionTimeoutMs, signal: call?.signal }),
      clock: systemClock,
      log: silent,
      allowLoopback: true,
      signal: end.signal,
    });
    const stop = async () => {
      end.abort(new Error('stopped'));
      await done;
    };
    t.teardown(stop);
    return stop;
  }

  /** One in a process of its own; see controller-of-vms.ts. */
  function leadApart(id: string, fault: { killAt?: string; stopIn?: string } = {}): ChildController {
    const provider = { ...words, dir, qemu, artifacts };
    const policy = hastyPolicy();
    const asked = { ...fault, id, clusterId: testCluster, policy, registry, provider, sessionTimeoutMs };
    const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(asked)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        log += chunk;
      });
    }
    const ended = once(child, 'close');
    t.teardown(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    return { process: child, log: () => log, ended };
  }

  const view = () => readRegistry(client, { allowLoopback: true });
  const ledger = async (): Promise<MachineRecord[]> => (await view()).machines.map(({ record }) => record);
  const serving = async () =>
    (await view()).registrations.filter(({ record }) => record.state === 'up').map(({ record }) => record);

  return {
    dir,
    registry,
    client,
    view,
    open: () => open({ ...words, artifacts }),
    service,
    declare,
    lead,
    leadApart,
    ledger,
    serving,
    events: () => readEvents(client, { limit: 1_000 }),
    async status() {
      try {
        return decode(codecs.status, paths.status, (await client.get(paths.status)).data);
      } catch (error) {
        if (isMcpError(error, 'REGISTRY_NO_NODE')) return null;
        throw error;
      }
    },
    /** As if the session of whoever leads, or waits to, had expired. */
    async endLatch(): Promise<void> {
      const { children } = await client.children(paths.leader);
      await Promise.all(children.map((child) => client.delete(`${paths.leader}/${child}`).catch(() => {})));
    },
    /** Runs `mcp` on this registry. */
    mcp: (...asked: string[]) => runMcp([...asked, '--registry', registry]),
    /** Waits until the ledger holds machines in these states, sorted, and nothing runs that it does not hold. */
    settled: (...states: string[]) =>
      patiently(`the machines are ${states.join(', ') || 'none'}, and no others run`, async () => {
        const machines = await ledger();
        const running = qemusBelow(dir);
        const is = machines.map(({ state }) => state).sort();
        return is.join() === [...states].sort().join() && running.length === machines.length && machines;
      }),
  };
}
