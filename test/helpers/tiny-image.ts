/** Layers of a tree that holds nothing but busybox: the bake's engine, in milliseconds. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageStep } from '../../specs/nouns.ts';
import { type BakeContext, runStep } from '../../vm-factory/image/bake-steps.ts';
import { type Layer, layerChain } from '../../vm-factory/image/layer-chain.ts';
import { LayerTree } from '../../vm-factory/image/layer-tree.ts';
import { makeLayer } from '../../vm-factory/image/make-layer.ts';
import { busybox, type Planting } from '../../vm-factory/image/root-files.ts';
import { findSandbox } from '../../vm-factory/image/sandbox.ts';

const names = ['sh', 'cat', 'cp', 'mkdir', 'chmod', 'chown', 'sleep', 'gzip', 'tar', 'ls', 'mount', 'dd', 'ps', 'id'];
const planting: Planting = {
  folders: ['tmp', 'proc', 'sys', 'dev', 'run', 'etc'],
  placed: [{ from: busybox, to: busybox, mode: 'program' }],
  files: [],
  links: names.map((name) => [`bin/${name}`, busybox]),
};

export function runs(script: string, timeoutMs = 60_000): ImageStep {
  return { kind: 'run', title: `run ${script}`.slice(0, 40), timeoutMs, script };
}

export interface TinyBake {
  /** Its folder with `layer.tar.zst` is the result of the last step. */
  bake(steps: ImageStep[]): Promise<{ folder: string; layers: Layer[] }>;
  /** `name` or `name (kept)` of each step so far. */
  told: string[];
  context: BakeContext;
  treesDir: string;
  stop: AbortController;
}

/** @param dir a folder for everything */
export async function tinyBake(dir: string): Promise<TinyBake> {
  const sandbox = await findSandbox();
  const told: string[] = [];
  const stop = new AbortController();
  const treesDir = join(dir, 'trees');
  const report = {
    step: (name: string, kept: boolean) => void told.push(`${name}${kept ? ' (kept)' : ''}`),
    output: () => {},
    note: () => {},
  };
  const context = { stepsDir: join(dir, 'steps'), logsDir: join(dir, 'logs'), report, signal: stop.signal };
  let bakes = 0;
  const bake = async (steps: ImageStep[]) => {
    bakes += 1;
    const tree = new LayerTree(join(treesDir, String(bakes)), sandbox);
    await mkdir(treesDir, { recursive: true });
    const layers = layerChain({ packages: [], steps }, { name: 'base', inputs: 'busybox', added: [] });
    const tools = { tree, sandbox, base: { kind: 'minimal' as const, planting }, archives: dir };
    let folder = '';
    try {
      for (const layer of layers) {
        const below = folder;
        folder = await runStep(context, { ...layer, run: (step) => makeLayer(step, layer, below, tools) });
      }
      return { folder, layers };
    } finally {
      await tree.remove();
    }
  };
  return { bake, told, context, treesDir, stop };
}
