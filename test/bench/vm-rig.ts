/** What the benchmarks of virtual machines share: a registry, images with and without a template, and an end to all of it. */
import { link, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freeAddressBlock } from '../../mcp/local/addresses.ts';
import { processesMarked, signalProcess } from '../../registrar/process-identity.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { type Image, ImageStore } from '../../vm-factory/image/image-store.ts';
import type { QemuFacts } from '../../vm-factory/qemu/accelerator.ts';
import { QemuProvider } from '../../vm-factory/qemu/qemu-provider.ts';
import { ownerMark } from '../../vm-factory/qemu/vm.ts';
import { VmFactory } from '../../vm-factory/qemu/vm-factory.ts';
import { bakedImage, noQemu, testImages } from '../helpers/qemu-machines.ts';
import { startZooKeeper } from '../helpers/zookeeper.ts';
import { Interrupted } from './interrupted.ts';

export const clusterId = 'test-cluster';
export const sessionTimeoutMs = 10_000;

/** `clone`: of the image's template, with one kept paused. `cold`: the same image where there is no template. */
export type Origin = 'clone' | 'cold';

export interface VmRig {
  qemu: QemuFacts;
  image: Image;
  /** Connect string, without a chroot. */
  zooKeeper: string;
  dir: string;
  artifacts: string;
  /** Aborts when the benchmark is interrupted. */
  signal: AbortSignal;
  /** Its machines end with the rig. */
  provider(name: string, origin: Origin, stock?: number): Promise<MeasuredProvider>;
  /** The factory alone, without identities; what is marked with its folder ends with the rig. */
  factory(name: string, origin: Origin, stock: number): { factory: VmFactory; dir: string };
  /** Run at the end, last first, whatever happens. */
  teardown(end: () => Promise<unknown>): void;
}

export interface MeasuredProvider {
  provider: QemuProvider;
  /** Of a machine's virtual machine. */
  folder(uuid: string): string;
}

/** Ctrl-C and a failure end everything that was started, too. */
export async function withVmRig<T>(body: (rig: VmRig) => Promise<T>): Promise<T> {
  if (noQemu) throw new Error(`no virtual machines here: ${noQemu}`);
  const interrupted = new AbortController();
  const stop = () => interrupted.abort(new Interrupted());
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  const ends: (() => Promise<unknown>)[] = [];
  const aborted = new Promise<never>((_, reject) => {
    interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason));
  });
  aborted.catch(() => {});
  try {
    return await Promise.race([openRig(ends, interrupted.signal).then(body), aborted]);
  } finally {
    for (const end of ends.reverse()) await end().catch((error: unknown) => console.error(error));
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

async function openRig(ends: (() => Promise<unknown>)[], signal: AbortSignal): Promise<VmRig> {
  const teardown = (end: () => Promise<unknown>) => void ends.push(end);
  const dir = await mkdtemp(join(tmpdir(), 'mcp-bench-vm-'));
  teardown(() => rm(dir, { recursive: true, force: true }));
  const { image, qemu } = await bakedImage();
  const zooKeeper = await startZooKeeper();
  teardown(() => zooKeeper.stop());
  const artifacts = join(dir, 'artifacts');
  await mkdir(artifacts);
  const stores = { clone: testImages, cold: await withoutTemplate(image, join(dir, 'images')) };
  return {
    qemu,
    image,
    zooKeeper: zooKeeper.connectString,
    dir,
    artifacts,
    signal,
    teardown,
    async provider(name, origin, stock = origin === 'clone' ? 1 : 0) {
      const home = join(dir, name);
      const addressBlock = await freeAddressBlock(Math.random);
      const options = { dir: home, clusterId, addressBlock, clock: systemClock, sessionTimeoutMs, artifacts };
      const provider = new QemuProvider({ ...options, images: stores[origin], qemu, stock });
      teardown(() => endProvider(provider, home));
      return { provider, folder: (uuid) => join(home, 'machines', uuid, 'vm') };
    },
    factory(name, origin, size) {
      const home = join(dir, name);
      const factory = new VmFactory({
        artifacts: null,
        dir: home,
        images: stores[origin],
        qemu,
        stock: size,
        clock: systemClock,
      });
      teardown(async () => {
        await factory.close();
        await factory.stock.empty();
        endStrays(home);
      });
      return { factory, dir: home };
    },
  };
}

/** A store that holds the same image, by hard links, and no template of it. */
async function withoutTemplate(image: Image, dir: string): Promise<ImageStore> {
  const home = join(dir, 'images', basename(image.dir));
  await mkdir(home, { recursive: true });
  for (const name of ['kernel', 'initramfs', 'root.ext4', 'image.json'])
    await link(join(image.dir, name), join(home, name));
  return new ImageStore(dir);
}

async function endProvider(provider: QemuProvider, home: string): Promise<void> {
  await provider.close();
  await provider.emptyStock();
  const machines = (await provider.list()).filter(({ state }) => state !== 'unknown');
  for (const machine of machines) await provider.destroy(machine);
  endStrays(home);
}

/** Whatever was on its way when the benchmark was interrupted. */
function endStrays(home: string): void {
  for (const stray of processesMarked(`${ownerMark}=${home}`)) signalProcess(stray, 'SIGKILL');
}

/** Asks again and again, every few ms, until it holds. */
export async function waitUntil(
  what: string,
  holds: () => Promise<boolean> | boolean,
  { signal }: Pick<VmRig, 'signal'>,
  withinMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(5, undefined, { signal });
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
