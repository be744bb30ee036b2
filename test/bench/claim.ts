/**
 * `npm run bench -- claim`: machines of one image, taken as clones of its booted template and built cold, by turns in one run on
 * a real registry, a real gateway and real QEMU. First until the agent in the machine answers, by the provider alone; then until
 * the first 200 through the gateway, by a controller whose pool has a machine ready and by one whose pool is empty.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runController } from '../../mcp/control/controller.ts';
import { applyEnvironment } from '../../mcp/declare/apply-environment.ts';
import { loadEnvironment } from '../../mcp/declare/load-environment.ts';
import { defaultPolicy } from '../../mcp/plan/policy.ts';
import { stopNginx } from '../../proxy-daemon/main.ts';
import { paths } from '../../registrar/layout.ts';
import { killGroup } from '../../registrar/process-identity.ts';
import { formatRegistry } from '../../registrar/recipes/format-registry.ts';
import type { AgentRecord, MachineRecord } from '../../registrar/records.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import type { Environment } from '../../specs/nouns.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { vmIdentity } from '../../vm-factory/qemu/vm.ts';
import { AgentWorldForTest } from '../helpers/agent-world.ts';
import { freePort } from '../helpers/free-port.ts';
import { examples } from '../helpers/local-environment.ts';
import { end, statusOf } from './gateway-parts.ts';
import type { BenchResult, BenchRow } from './main.ts';
import { knowsItself, Marks, partsTable, type Step } from './vm-marks.ts';
import {
  clusterId,
  type MeasuredProvider,
  median,
  type Origin,
  sessionTimeoutMs,
  type VmRig,
  waitUntil,
  withVmRig,
} from './vm-rig.ts';

const rounds = 3;
const agentTarget = 20;
/** Before a claim from the pool. */
const restMs = 10_000;
const daemonScript = fileURLToPath(new URL('../helpers/gateway-process.ts', import.meta.url));

/** How a wanted instance gets its machine. */
interface Way {
  name: string;
  origin: Origin;
  /** Machines that its pool keeps ready. */
  pool: number;
  /** They are cloned with the service already started. */
  warm?: true;
  /** It is to be so many times faster than `cold`. */
  target?: number;
}

const cold: Way = { name: 'a cold build', origin: 'cold', pool: 0 };
const ways: Way[] = [
  { name: 'from a service template', origin: 'clone', pool: 1, warm: true, target: 15 },
  { name: 'from the ready pool', origin: 'clone', pool: 1, target: 6 },
  cold,
];

export function run(): Promise<BenchResult> {
  return withVmRig(async (rig) => {
    const agents = await measureAgents(rig);
    const served = await measureServing(rig);
    const { accelerator } = rig.qemu;
    const at = (marks: readonly Marks[] = [], step: Step) => median(marks.map((one) => one.at.get(step) ?? Number.NaN));
    const agentRow = (metric: string, step: Step, target?: number) =>
      row(`${metric} (${accelerator})`, at(agents.clone, step), at(agents.cold, step), 'a cold boot', target);
    return {
      name: 'claim',
      rows: [
        agentRow('a machine claimed until its agent answers: who it is', 'known', agentTarget),
        agentRow('until its agent has joined the host', 'joined'),
        agentRow('until its agent is in the registry', 'session'),
        ...ways.flatMap(({ name, target }) =>
          target === undefined
            ? []
            : row(
                `an instance wanted, or killed, until its first 200, ${name} (${accelerator})`,
                at(served[name], 'routed'),
                at(served[cold.name], 'routed'),
                cold.name,
                target,
              ),
        ),
      ],
      parts: [
        partsTable('until the agent answers: where the time goes', agents, median),
        partsTable('until the first 200: where the time goes', served, median),
      ],
    };
  });
}

function row(metric: string, ours: number, peer: number, peerName: string, target?: number): BenchRow {
  const ratio = peer / ours;
  return {
    metric,
    unit: 'ms',
    ours,
    peer,
    peerName,
    ratio,
    target: target === undefined ? '' : `at least ${target} times faster`,
    holds: target === undefined ? null : ratio >= target,
  };
}

/** Machines made by the provider alone, for a ledger that knows them. */
async function measureAgents(rig: VmRig): Promise<Record<Origin, Marks[]>> {
  const registry = `${rig.zooKeeper}/agents`;
  const found: Record<Origin, Marks[]> = { clone: [], cold: [] };
  const providers = {
    clone: await rig.provider('agents-clone', 'clone'),
    cold: await rig.provider('agents-cold', 'cold'),
  };
  for (let round = 0; round < rounds; round += 1)
    for (const origin of ['clone', 'cold'] as const)
      found[origin].push(await measureAgent(rig, registry, origin, providers[origin]));
  return found;
}

async function measureAgent(
  rig: VmRig,
  registry: string,
  origin: Origin,
  { provider, folder }: MeasuredProvider,
): Promise<Marks> {
  if (origin === 'clone') await provider.prepare(minimalImage);
  const connect = () => connectZooKeeper(registry, { sessionTimeoutMs });
  const { uuid, admin } = await AgentWorldForTest.make(rig, connect);
  const marks = new Marks();
  const request = { uuid, operation: randomUUID(), clusterId, image: minimalImage, registry };
  const machine = await provider.create(request, rig.signal);
  marks.mark('running');
  const answers = async () => (await knowsItself(folder(uuid))) && marks.mark('known') > 0;
  await waitUntil('the agent answers', answers, rig);
  await waitUntil('the agent is in the registry', async () => (await admin.exists(paths.agent(uuid))) !== null, rig);
  marks.mark('session');
  await marks.markFolder(folder(uuid));
  // It would go on testing itself while the next one is measured.
  await provider.destroy(machine);
  return marks;
}

/** A controller, a gateway and a provider with a tree of their own, for the example's service `dns`. */
interface Serving {
  registry: string;
  client: RegistryClient;
  provider: MeasuredProvider;
  url: string;
  environment: Environment;
}

async function measureServing(rig: VmRig): Promise<Record<string, Marks[]>> {
  const found: Record<string, Marks[]> = {};
  const serving: [Way, Serving][] = [];
  for (const way of ways) serving.push([way, await startServing(rig, way)]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [way, one] of serving) {
      found[way.name] ??= [];
      found[way.name]?.push(await serveOnce(rig, way, one));
    }
  }
  return found;
}

async function startServing(rig: VmRig, { origin, pool, warm }: Way): Promise<Serving> {
  const chroot = `serving-${origin}-${warm ? 'warm' : pool}`;
  const registry = `${rig.zooKeeper}/${chroot}`;
  const connect = () => connectZooKeeper(registry, { sessionTimeoutMs });
  const client = await connect();
  rig.teardown(() => client.close());
  await formatRegistry(client, systemClock, { clusterId });
  const hosting = await loadEnvironment(join(examples, 'hosting.yaml'), {
    artifacts: rig.artifacts,
    defaultImage: minimalImage,
  });
  const services = hosting.services
    .filter(({ name }) => name === 'dns')
    .map((service) => (warm ? { ...service, warm: { ready: pool } } : service));
  const environment = { ...hosting, pool: { ...hosting.pool, size: warm ? 0 : pool }, services };
  const provider = await rig.provider(chroot, origin);
  if (origin === 'clone') await provider.provider.prepare(minimalImage);
  const ending = new AbortController();
  const running = runController({
    id: 'measured',
    clusterId,
    policy: defaultPolicy,
    registry,
    connect,
    provider: provider.provider,
    allowLoopback: true,
    clock: systemClock,
    log: { info() {}, warn() {}, error() {} },
    signal: ending.signal,
  });
  rig.teardown(async () => {
    ending.abort(new Error('the benchmark is over'));
    await running;
  });
  const url = await startGateway(rig, registry, join(rig.dir, `gateway-${chroot}`));
  const one = { registry, client, provider, url, environment };
  // There is no service template of what nobody wants an instance of: that one's only instance is killed instead.
  await want(one, warm ? 1 : 0);
  return one;
}

async function startGateway(rig: VmRig, registry: string, dir: string): Promise<string> {
  const port = await freePort();
  const words = [daemonScript, registry, dir, String(port), '100', 'dynamic'];
  const daemon: ChildProcess = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  rig.teardown(async () => {
    await end(daemon);
    await stopNginx(dir, systemClock, 1000);
  });
  const url = `http://127.0.0.1:${port}`;
  await waitUntil('the gateway answers', async () => (await statusOf(url, '/healthz')) === 200, rig);
  return url;
}

async function want({ client, environment }: Serving, count: number): Promise<void> {
  const services = environment.services.map((service) => ({
    ...service,
    versions: service.versions.map((version) => ({ ...version, count })),
  }));
  const how = { author: 'bench', reason: 'measured', confirmed: true, at: systemClock.now() };
  await applyEnvironment(client, { ...environment, services }, how);
}

async function serveOnce(rig: VmRig, { pool, warm }: Way, one: Serving): Promise<Marks> {
  const { client, registry, url, provider } = one;
  await waitUntil('only the pool is there', () => isAtRest(client, pool, warm), rig, 240_000);
  // A pool is mostly claimed from after a while in which nothing happened.
  if (pool > 0) await pause(restMs, undefined, { signal: rig.signal });

  const watcher = await connectZooKeeper(registry);
  try {
    const marks = new Marks();
    await marks.follow(watcher);
    const killed = warm ? await claimedMachine(client) : '';
    const victim = warm ? await vmIdentity(provider.folder(killed)) : null;
    marks.begin();
    if (victim) killGroup(victim, 'SIGKILL');
    else await want(one, 1);
    const isServed = async () => {
      if (pool === 0) await noteKnown(marks, provider);
      return (await statusOf(url, '/dns/zones')) === 200;
    };
    await waitUntil('the first 200', isServed, rig);
    marks.mark('routed');
    const uuid = marks.settle(killed);
    await marks.markFolder(provider.folder(uuid));
    if (!warm) await want(one, 0);
    return marks;
  } finally {
    await watcher.close();
  }
}

async function noteKnown(marks: Marks, { folder }: MeasuredProvider): Promise<void> {
  for (const uuid of marks.seen()) if (await knowsItself(folder(uuid))) marks.knows(uuid);
}

/**
 * The ledger holds the pool's ready machines and nothing else; where they are to be warm, their agents say so and one more
 * machine serves.
 */
async function isAtRest(client: RegistryClient, pool: number, warm = false): Promise<boolean> {
  const ledgers = await readLedger(client);
  const ready = ledgers.filter(({ state }) => state === 'ready');
  if (ready.length !== pool || ledgers.length !== pool + (warm ? 1 : 0)) return false;
  if (!warm) return true;
  if (!ledgers.some(({ state, served }) => state === 'claimed' && served)) return false;
  const agents = await Promise.all(ready.map(({ uuid }) => readJson<AgentRecord>(client, paths.agent(uuid))));
  return agents.every(({ template }) => template !== undefined && template !== null);
}

async function claimedMachine(client: RegistryClient): Promise<string> {
  const machine = (await readLedger(client)).find(({ state }) => state === 'claimed');
  if (!machine) throw new Error('nothing is claimed');
  return machine.uuid;
}

async function readLedger(client: RegistryClient): Promise<MachineRecord[]> {
  const { children } = await client.children(paths.machines);
  return Promise.all(children.map((uuid) => readJson<MachineRecord>(client, paths.machine(uuid))));
}

async function readJson<T>(client: RegistryClient, path: string): Promise<T> {
  return JSON.parse((await client.get(path)).data.toString()) as T;
}
