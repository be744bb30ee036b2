/** What each kind of layer does to the tree. */
import { fileURLToPath } from 'node:url';
import type { ImageStep } from '../../specs/nouns.ts';
import type { StepRun } from './bake-steps.ts';
import { aptBinds, type DebianInputs, installCommand, makeDebianBase } from './debian-base.ts';
import type { Layer } from './layer-chain.ts';
import type { LayerTree } from './layer-tree.ts';
import { type Planting, plant } from './root-files.ts';
import type { Bind, Sandbox } from './sandbox.ts';

export interface LayerTools {
  tree: LayerTree;
  sandbox: Sandbox;
  /** What the base is made of. */
  base: { kind: 'debian'; inputs: DebianInputs } | { kind: 'minimal'; planting: Planting };
  /** Folder of fetched Debian packages, which outlives bakes. */
  archives: string;
}

/** Where a step sees the file that it is about. */
const content = '/tmp/mcp-content';
const resolver: Bind = { from: '/etc/resolv.conf', to: '/etc/resolv.conf' };

/** Makes the layer above `parentFolder`'s, and leaves it in `step.dir`. */
export async function makeLayer(
  step: StepRun,
  layer: Layer,
  parentFolder: string | null,
  tools: LayerTools,
): Promise<void> {
  const { tree, base, archives } = tools;
  if (layer.does.kind === 'base') return makeBase(step, layer, tools);
  await tree.become(layer.parent ?? '', parentFolder ?? '', step);
  const world = base.kind === 'debian' ? aptBinds(archives) : [resolver];
  if (layer.does.kind === 'packages') await tree.run(step, installCommand(layer.does.packages), { binds: world });
  else await perform(step, layer.does.step, tree, world);
  await tree.save(layer.key, step);
}

async function makeBase(step: StepRun, layer: Layer, { tree, sandbox, base }: LayerTools): Promise<void> {
  await tree.remove();
  if (base.kind === 'debian') return makeDebianBase(step, base.inputs, sandbox, await tree.spare('tmp'));
  await plant(await tree.spare('tree'), base.planting);
  await tree.save(layer.key, step);
}

async function perform(step: StepRun, does: ImageStep, tree: LayerTree, binds: Bind[]): Promise<void> {
  const withContent = (url: string) => [...binds, { from: fileURLToPath(url), to: content }];
  switch (does.kind) {
    case 'run':
      return tree.run(step, ['/bin/sh', '-e', '-c', does.script], { binds });
    case 'puppet':
      // Without it Puppet calls a run in which resources failed a success; 2 says that something was changed.
      return tree.run(step, ['puppet', 'apply', '--detailed-exitcodes', '--color=false', content], {
        binds: withContent(does.manifest.url),
        successCodes: [0, 2],
      });
    case 'copy':
      return tree.run(step, ['/bin/sh', '-e', '-c', copying[does.form], 'copy', does.to], {
        binds: withContent(does.content.url),
      });
  }
}

const place = (mode: string) => `to=$1
mkdir -p "\${to%/*}/"
cp -T ${content} "$to"
chmod ${mode} "$to"
chown 0:0 "$to"
`;

const copying: Record<'directory' | 'file' | 'program', string> = {
  directory: `mkdir -p "$1"; gzip -dc < ${content} | tar -xf - -C "$1"`,
  file: place('0644'),
  program: place('0755'),
};
