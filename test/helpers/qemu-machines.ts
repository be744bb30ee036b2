/** QemuProviders for tests: real machines of an image that is baked once and kept between runs, nothing else left behind. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../registrar/system-clock.ts';
import { smallFlavor } from '../../specs/flavor.ts';
import { bakeMinimal } from '../../vm-factory/image/bake-minimal.ts';
import { type Image, ImageStore } from '../../vm-factory/image/image-store.ts';
import { type QemuFacts, qemuFacts } from '../../vm-factory/qemu/accelerator.ts';
import { machineType, qemuProgram } from '../../vm-factory/qemu/command-line.ts';
import { shapeOf } from '../../vm-factory/qemu/model.ts';
import { QemuProvider, type QemuProviderOptions } from '../../vm-factory/qemu/qemu-provider.ts';
import { ensureTemplate } from '../../vm-factory/qemu/template.ts';
import { testBlock, testCluster } from './process-machines.ts';
import { tempDir } from './temp-dir.ts';

/** Why there can be no virtual machines here; empty where there can. */
export const noQemu = spawnSync(qemuProgram, ['--version']).status === 0 ? '' : `${qemuProgram} is not installed`;

/** What is in it is named by its content: runs can share it. */
export const testImages = new ImageStore(join(tmpdir(), `mcp-test-images-${userInfo().uid}`));

/** pids of what runs in folders below this one, whoever started it: virtual machines. */
export function pidsBelow(dir: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`).startsWith(`${dir}/`) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Of these, QEMU's own: without what serves a guest for a moment. */
export function qemusBelow(dir: string): number[] {
  return pidsBelow(dir).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu-system');
    } catch {
      return false;
    }
  });
}

interface Baked {
  image: Image;
  qemu: QemuFacts;
}

let baking: Promise<Baked> | null = null;

/** The image with its template; takes half a minute the first time. */
export function bakedImage(): Promise<Baked> {
  baking ??= bake();
  return baking;
}

async function bake(): Promise<Baked> {
  const qemu = await qemuFacts();
  const image = await bakeMinimal({
    store: testImages,
    qemu: { version: qemu.version, machineType },
    report: { step: () => {}, output: () => {}, note: () => {} },
    signal: new AbortController().signal,
  });
  await ensureTemplate({ image, shape: shapeOf(smallFlavor, qemu) }, systemClock);
  return { image, qemu };
}

export interface QemuBench {
  dir: string;
  /** Another provider on the same folder; keeps no stock unless told. */
  open(options?: Partial<QemuProviderOptions>): QemuProvider;
}

/** At the test's end every machine is destroyed and every provider closed. */
export async function qemuBench(t: ExecutionContext): Promise<QemuBench> {
  const { qemu } = await bakedImage();
  const dir = await tempDir(t);
  const providers: QemuProvider[] = [];
  const open = (options: Partial<QemuProviderOptions> = {}) => {
    const provider = new QemuProvider({
      dir,
      clusterId: testCluster,
      addressBlock: testBlock,
      clock: systemClock,
      images: testImages,
      qemu,
      stock: 0,
      artifacts: null,
      ...options,
    });
    providers.push(provider);
    return provider;
  };
  t.teardown(async () => {
    await Promise.all(providers.map((provider) => provider.close()));
    const last = open();
    const machines = (await last.list()).filter(({ state }) => state !== 'unknown');
    await Promise.all(machines.map((machine) => last.destroy(machine)));
    await last.emptyStock();
    await last.close();
  });
  return { dir, open };
}
