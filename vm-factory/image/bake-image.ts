/** Bakes an image that an environment declares, or finds it baked: what is made from the same inputs has the same id. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../specs/digest.ts';
import type { ImageSpec } from '../../specs/nouns.ts';
import { ownName, tidy } from '../process/files.ts';
import { type BakeOptions, findWhole } from './bake-minimal.ts';
import { type BakeContext, type BakeStep, runStep, type StepRun, stepKey } from './bake-steps.ts';
import { type BootParts, bootParts } from './boot-parts.ts';
import { baseInputs, debianInputs } from './debian-base.ts';
import { agentPlanting } from './guest-planting.ts';
import type { Image, ImageRecord } from './image-store.ts';
import { type ChainStart, type Layer, layerChain, packagesOf } from './layer-chain.ts';
import { LayerTree, removeTree } from './layer-tree.ts';
import { type LayerTools, makeLayer } from './make-layer.ts';
import { diskCommand, diskFile, diskInputs, minimalBase } from './root-disk.ts';
import { type Planting, plant, plantingInputs } from './root-files.ts';
import { findSandbox } from './sandbox.ts';

/** Everything that decides what an image will be, found out before anything is made. */
interface Recipe {
  record: ImageRecord;
  boot: BootParts;
  layers: Layer[];
  base: LayerTools['base'];
  agent: Planting;
  disk: Pick<BakeStep, 'name' | 'inputs'>;
}

/**
 * Errors: IMAGE_INPUT_MISSING, IMAGE_PACKAGE_UNKNOWN, IMAGE_SANDBOX_MISSING, IMAGE_STEP_FAILED, IMAGE_DISK_FULL,
 * IMAGE_TREE_STUCK; the signal's reason. After each of them nothing half-made is left but the steps that are whole.
 */
export async function bakeImage(spec: ImageSpec, options: BakeOptions): Promise<Image> {
  const { store, report, signal } = options;
  const recipe = await recipeOf(spec, options);
  const there = await findWhole(options, recipe.record.id);
  if (there) return there;
  const sandbox = await findSandbox();
  await mkdir(store.treesDir, { recursive: true });
  await mkdir(store.archivesDir, { recursive: true });
  await tidy(store.treesDir, (path) => removeTree(path, sandbox));
  const tree = new LayerTree(join(store.treesDir, ownName()), sandbox);
  const context = { stepsDir: store.stepsDir, logsDir: store.logsDir, report, signal };
  try {
    const boot = await recipe.boot.make(context);
    const tools = { tree, sandbox, base: recipe.base, archives: store.archivesDir };
    const folder = await makeLayers(context, recipe.layers, tools);
    const root = await runStep(context, diskStep(recipe, folder, tools));
    return await store.add(recipe.record, { ...boot, root: join(root, diskFile) });
  } finally {
    await tree.remove();
  }
}

async function recipeOf(spec: ImageSpec, { qemu, signal }: BakeOptions): Promise<Recipe> {
  const boot = await bootParts('overlay');
  const { base, start } = await startOf(spec);
  signal.throwIfAborted();
  const layers = layerChain(spec, start);
  const agent = await agentPlanting(spec.base);
  const guest = await plantingInputs(agent);
  const disk = { name: 'root file system', inputs: { parent: layers.at(-1)?.key, guest, diskInputs } };
  const steps = [
    ...boot.steps,
    ...layers.map(({ name, key }) => ({ name, key })),
    { name: disk.name, key: stepKey(disk) },
  ];
  const made = { name: spec.name, qemuVersion: qemu.version, machineType: qemu.machineType };
  const id = digestOf({ ...made, keys: steps.map(({ key }) => key) });
  const packages = base.kind === 'debian' ? [...base.inputs.base, ...base.inputs.added] : [];
  const record = {
    format: 1 as const,
    id,
    ...made,
    steps,
    base: spec.base,
    definition: spec.digest,
    guest: digestOf(guest),
    packages,
  };
  return { record, boot, layers, base, agent, disk };
}

/** The digest that images baked now would carry for what is ours in them. */
export async function guestDigest(base: ImageSpec['base']): Promise<string> {
  return digestOf(await plantingInputs(await agentPlanting(base)));
}

async function startOf(spec: ImageSpec): Promise<{ base: LayerTools['base']; start: ChainStart }> {
  if (spec.base === 'minimal') {
    const planting = await minimalBase();
    const start = { name: 'base minimal', inputs: await plantingInputs(planting), added: [] };
    return { base: { kind: 'minimal', planting }, start };
  }
  const inputs = await debianInputs(packagesOf(spec));
  const name = `base debian ${inputs.release.codename}`;
  return { base: { kind: 'debian', inputs }, start: { name, inputs: baseInputs(inputs), added: inputs.added } };
}

/** The folder of the last one. */
async function makeLayers(context: BakeContext, layers: readonly Layer[], tools: LayerTools): Promise<string> {
  let folder: string | null = null;
  for (const layer of layers) {
    const below = folder;
    folder = await runStep(context, { ...layer, run: (step: StepRun) => makeLayer(step, layer, below, tools) });
  }
  return folder ?? '';
}

/** The last layer with what makes it a machine of ours, as a file system. */
function diskStep({ layers, agent, disk }: Recipe, folder: string, { tree, sandbox }: LayerTools): BakeStep {
  return {
    ...disk,
    run: async (step) => {
      await tree.become(layers.at(-1)?.key ?? '', folder, step);
      const ours = await tree.spare('ours');
      await plant(ours, agent);
      // By a program inside: links in the tree can't lead it out of it.
      await tree.run(step, ['cp', '-a', '/tmp/ours/.', '/'], { binds: [{ from: ours, to: '/tmp/ours' }] });
      await step.command(sandbox.asOwner(diskCommand(tree.path, step)));
    },
  };
}
