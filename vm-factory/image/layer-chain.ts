/** A declared image as a chain of layers: each is known by all that came before it and by what it does. Pure. */
import { contentOfStep } from '../../specs/digest.ts';
import type { ImageSpec, ImageStep } from '../../specs/nouns.ts';
import { type BakeStep, stepKey } from './bake-steps.ts';
import type { PackageVersion } from './debian-packages.ts';

/** A layer to be made, or found made by its key. */
export interface Layer extends Pick<BakeStep, 'name' | 'inputs' | 'nameless' | 'timeoutMs'> {
  key: string;
  /** Of the layer below; null for the first. */
  parent: string | null;
  does: { kind: 'base' } | { kind: 'packages'; packages: PackageVersion[] } | { kind: 'step'; step: ImageStep };
}

/** What the chain starts from, as far as it decides the result. */
export interface ChainStart {
  name: string;
  inputs: unknown;
  /** Packages beyond the base, as resolved. */
  added: PackageVersion[];
}

const puppetPackage = 'puppet-agent';

/** The Debian packages to install: those declared, and Puppet where a manifest is applied. */
export function packagesOf({ packages, steps }: Pick<ImageSpec, 'packages' | 'steps'>): string[] {
  const puppet = steps.some(({ kind }) => kind === 'puppet') ? [puppetPackage] : [];
  return [...new Set([...packages, ...puppet])].sort();
}

export function layerChain(spec: Pick<ImageSpec, 'packages' | 'steps'>, start: ChainStart): Layer[] {
  const layers: Layer[] = [];
  const add = (layer: Pick<Layer, 'name' | 'timeoutMs' | 'does'>, does: unknown) => {
    const parent = layers.at(-1)?.key ?? null;
    const known = { ...layer, inputs: { parent, does }, nameless: true };
    layers.push({ ...known, parent, key: stepKey(known) });
  };
  add({ name: start.name, does: { kind: 'base' } }, { base: start.inputs });
  if (start.added.length > 0) {
    const name = `packages ${packagesOf(spec).join(', ')}`;
    add({ name, does: { kind: 'packages', packages: start.added } }, { install: start.added });
  }
  for (const step of spec.steps)
    add({ name: step.title, timeoutMs: step.timeoutMs, does: { kind: 'step', step } }, { step: contentOfStep(step) });
  return layers;
}
