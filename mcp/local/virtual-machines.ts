/** What virtual machines need before the first one: QEMU and its packages, the baked image, its template, paused clones. */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { McpError } from '../../specs/errors.ts';
import { imagesOf, isReferenceTo } from '../../specs/image-reference.ts';
import type { Environment } from '../../specs/nouns.ts';
import { minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { type Image, ImageStore } from '../../vm-factory/image/image-store.ts';
import { qemuFacts } from '../../vm-factory/qemu/accelerator.ts';
import { bakeIfMissing, imagesFolder, nameOf, type Wanted } from './bake.ts';
import type { Progress } from './progress.ts';
import { qemuProvider } from './provider.ts';
import type { LocalState, StatePaths } from './state.ts';

const setup = fileURLToPath(new URL('../setup/prepare.mjs', import.meta.url));

/** Installs what is missing and finds out how QEMU runs here. Errors: SETUP_FAILED, QEMU_MISSING. */
export async function findQemu(progress: Progress, signal: AbortSignal): Promise<NonNullable<LocalState['qemu']>> {
  progress.start('Find QEMU');
  await installPackages(signal);
  return { images: imagesFolder(), ...(await qemuFacts()) };
}

/** Its words go to stderr: stdout is for results. */
async function installPackages(signal: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, [setup, 'qemu'], { stdio: ['ignore', 2, 2], signal });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return;
  throw new McpError('SETUP_FAILED', 'what virtual machines need could not be installed', {
    hint: 'See above what is missing, or use --provider process.',
  });
}

/**
 * Bakes the images that an environment's machines are made of (or finds them baked), saves their templates and clones the
 * pool's. Quick where all of that is there. An image that is neither built in nor declared is left out: what asks for it waits.
 */
export async function prepareVirtualMachines(
  paths: StatePaths,
  state: LocalState,
  environment: Environment | null,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  if (!state.qemu) return;
  const { images, version, accelerator } = state.qemu;
  const store = new ImageStore(images);
  const references = environment ? imagesOf(environment) : [minimalImage];
  const provider = qemuProvider(paths, state, state.qemu);
  try {
    for (const reference of references) {
      const wanted = wantedBy(environment, reference);
      if (!wanted) continue;
      progress.start(`Bake the image ${nameOf(wanted)}`);
      const request = { store, qemuVersion: version, progress, signal };
      await keepForUs(paths, store, () => bakeIfMissing(wanted, request));
      progress.start(`Boot the template of ${nameOf(wanted)} and clone it (${accelerator})`);
      await provider.prepare(reference, environment?.pool.flavor, signal);
    }
  } finally {
    await provider.close();
  }
}

function wantedBy(environment: Environment | null, reference: string): Wanted | undefined {
  if (reference === minimalImage) return minimalImage;
  return environment?.images?.find((image) => isReferenceTo(reference, image));
}

/** Says that this environment needs the image, and looks again: who prunes meanwhile may not have heard it. */
async function keepForUs(paths: StatePaths, store: ImageStore, bake: () => Promise<Image>): Promise<void> {
  await mkdir(paths.factory, { recursive: true });
  for (;;) {
    const { record } = await bake();
    await store.use(record.id, paths.factory);
    if (await store.byId(record.id)) return;
  }
}
