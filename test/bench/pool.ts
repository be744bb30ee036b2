/**
 * `npm run bench -- pool`: what machines that wait for work cost. First, by turns in one run, clones kept paused against cold
 * boots of the same image: processor time to make one ready, and memory that is its own while it waits. Then the example
 * environment with 30 instances on virtual machines of this host, as a user brings it up.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readState } from '../../mcp/local/state.ts';
import { isConverged, type StatusView } from '../../mcp/view/status-view.ts';
import { processesMarked } from '../../registrar/process-identity.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { waitingWord } from '../../vm-factory/guest/inside.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { endVm, ownerMark, untilConsoleSays } from '../../vm-factory/qemu/vm.ts';
import type { VmFactory } from '../../vm-factory/qemu/vm-factory.ts';
import { ask } from '../helpers/ask.ts';
import { examples, runMcp } from '../helpers/local-environment.ts';
import type { BenchResult, BenchRow } from './main.ts';
import { cpuSeconds, memoryMb, ownCpuSeconds } from './process-costs.ts';
import { median, type Origin, type VmRig, waitUntil, withVmRig } from './vm-rig.ts';

const rounds = 3;
/** Machines a round. */
const batch = { clone: 6, cold: 2 };
const refillTarget = 10;
const memoryTarget = 0.5;
const instances = 30;
const idleSeconds = 30;
/** For what `mcp up` did not wait for, ms. */
const patienceMs = 120_000;

export function run(): Promise<BenchResult> {
  return withVmRig(async (rig) => ({
    name: 'pool',
    rows: [...(await measureRefill(rig)), ...(await measureMany(rig))],
  }));
}

interface Cost {
  cpuSeconds: number;
  ownMb: number;
}

async function measureRefill(rig: VmRig): Promise<BenchRow[]> {
  const found: Record<Origin, Cost[]> = { clone: [], cold: [] };
  const factories = {
    clone: rig.factory('refill-clone', 'clone', batch.clone),
    cold: rig.factory('refill-cold', 'cold', 0),
  };
  for (let round = 0; round < rounds; round += 1) {
    found.clone.push(await clones(factories.clone));
    found.cold.push(await coldBoots(rig, factories.cold));
  }
  const [ours, peer] = [median(found.clone.map(cpuOf)), median(found.cold.map(cpuOf))];
  const [own, coldOwn] = [median(found.clone.map(ownOf)), median(found.cold.map(ownOf))];
  const peerName = 'cold boots';
  const name = rig.qemu.accelerator;
  return [
    {
      metric: `machines made ready to be taken per second of processor time (${name})`,
      unit: '1/s',
      ours: 1 / ours,
      peer: 1 / peer,
      peerName,
      ratio: peer / ours,
      target: `at least ${refillTarget} times as many`,
      holds: peer / ours >= refillTarget,
    },
    {
      metric: `memory of its own of a machine that waits (${name})`,
      unit: 'MiB',
      ours: own,
      peer: coldOwn,
      peerName,
      ratio: own / coldOwn,
      target: `at most ${memoryTarget}`,
      holds: own / coldOwn <= memoryTarget,
    },
  ];
}

const cpuOf = (cost: Cost) => cost.cpuSeconds;
const ownOf = (cost: Cost) => cost.ownMb;

/** A stock that is filled, and emptied again. */
async function clones({ factory, dir }: { factory: VmFactory; dir: string }): Promise<Cost> {
  const before = ownCpuSeconds();
  await factory.prepare(minimalImage, undefined);
  const machines = processesMarked(`${ownerMark}=${dir}`);
  const cost = costOf(machines, ownCpuSeconds() - before);
  await factory.stock.empty();
  return cost;
}

/** Machines that boot at the same time, until their agents wait for an identity, as those of the stock do. */
async function coldBoots({ signal }: VmRig, { factory, dir }: { factory: VmFactory; dir: string }): Promise<Cost> {
  const model = await factory.modelOf(minimalImage, undefined);
  const before = ownCpuSeconds();
  const names = Array.from({ length: batch.cold }, (_, at) => join(dir, `machine-${at}-${performance.now()}`));
  const taken = await Promise.all(names.map((folder) => factory.stock.take(model, folder)));
  const machines = taken.map((one) => {
    if (!one) throw new Error('there is a machine already');
    return one.identity;
  });
  try {
    const waiting = { timeoutMs: 180_000, clock: systemClock, signal };
    await Promise.all(
      machines.map((identity, at) => untilConsoleSays({ folder: names[at] ?? '', identity }, waitingWord, waiting)),
    );
    return costOf(machines, ownCpuSeconds() - before);
  } finally {
    for (const machine of machines) await endVm(machine, systemClock);
  }
}

/** Of one of them, with its part of what we ourselves used. */
function costOf(machines: readonly { pid: number }[], ours: number): Cost {
  const used = machines.reduce((sum, { pid }) => sum + cpuSeconds(pid), ours);
  return {
    cpuSeconds: used / machines.length,
    ownMb: machines.reduce((sum, { pid }) => sum + memoryMb(pid).own, 0) / machines.length,
  };
}

/** `mcp up` with 30 instances, then nothing to do. */
async function measureMany(rig: VmRig): Promise<BenchRow[]> {
  const dir = join(rig.dir, 'environment');
  const file = join(rig.dir, 'many.yaml');
  await writeFile(file, manyInstances(await readFile(join(examples, 'hosting.yaml'), 'utf8')));
  const local = (...words: string[]) => runMcp([...words, '--state', dir]);
  rig.teardown(() => local('down'));
  const began = performance.now();
  const up = await local('up', '--provider', 'qemu', '--file', file, '--port', '0', '--json');
  if (up.code !== 0 && !up.stderr.includes('UP_TIMEOUT')) throw new Error(`mcp up: ${up.stderr}`);
  const status = await converged(rig, async () => JSON.parse((await local('status', '--json')).stdout));
  const servedMs = performance.now() - began;
  const answered = await askAll(rig, dir, status);
  const machines = processesMarked(`${ownerMark}=${join(dir, 'factory')}`).map(({ pid }) => pid);
  const others = processesMarked(`MCP_DAEMON_OF=${dir}`).filter(({ pid }) => !machines.includes(pid));
  const memory = machines.map(memoryMb);
  const total = (of: (cost: { own: number; share: number }) => number) => memory.reduce((sum, one) => sum + of(one), 0);
  const idle = await idleShares([machines, others.map(({ pid }) => pid)]);
  const figure = (metric: string, unit: string, ours: number): BenchRow => {
    return { metric, unit, ours, peer: null, peerName: '', ratio: null, target: '', holds: null };
  };
  return [
    {
      ...figure(
        `instances of the example that are registered and answer through the gateway, of ${instances}`,
        '',
        answered,
      ),
      target: String(instances),
      holds: answered === instances,
    },
    figure(isConverged(status) ? 'mcp up until all of them are served' : 'given up after', 's', servedMs / 1000),
    figure(
      `memory of the ${machines.length} virtual machines, the pool's included`,
      'MiB',
      total(({ share }) => share),
    ),
    figure('of this, its own of each on average', 'MiB', total(({ own }) => own) / machines.length),
    figure(`their processor time over ${idleSeconds} s without requests, in % of a core`, '%', (idle[0] ?? 0) * 100),
    figure('the same of registry, controller and gateway', '%', (idle[1] ?? 0) * 100),
  ];
}

/** The example's file with 30 instances of its four versions, read from wherever it is put. */
function manyInstances(text: string): string {
  const counts = [10, 10, 5, 5];
  let at = 0;
  return text
    .replace(/count: \d+/g, () => `count: ${counts[at++]}`)
    .replaceAll('directory: services/', `directory: ${join(examples, 'services')}/`);
}

/** The status when all is served, or after a while in which it was not. */
async function converged({ signal }: VmRig, read: () => Promise<StatusView>): Promise<StatusView> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const status = await read();
    if (isConverged(status) || performance.now() > deadline) return status;
    await pause(2_000, undefined, { signal });
  }
}

/** How many of the instances have answered a request through the gateway. */
async function askAll(rig: VmRig, dir: string, status: StatusView): Promise<number> {
  const { gateway } = readState(dir) ?? {};
  const wanted = new Set(
    status.services.flatMap(({ versions }) => versions.flatMap((one) => one.instances.map(({ machine }) => machine))),
  );
  const answered = new Set<string>();
  const routes = ['/domains/v1/names', '/dns/zones', '/certificates/issued'];
  const all = async () => {
    for (const route of routes) {
      const { status: code, headers } = await ask(`http://${gateway?.address}:${gateway?.port}${route}`);
      if (code === 200 && wanted.has(String(headers['x-served-by']))) answered.add(String(headers['x-served-by']));
    }
    return answered.size === wanted.size;
  };
  await waitUntil('every instance has answered', all, rig, 60_000).catch(() => {});
  return answered.size;
}

/** Share of a core that each group of processes used over a while. */
async function idleShares(groups: readonly (readonly number[])[]): Promise<number[]> {
  const used = () => groups.map((pids) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0));
  const before = used();
  const began = performance.now();
  await pause(idleSeconds * 1000);
  const seconds = (performance.now() - began) / 1000;
  return used().map((after, at) => (after - (before[at] ?? 0)) / seconds);
}
