/** What virtual machines need before the first one: QEMU and its packages, the baked image, its template, paused clones. */
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { McpError } from '../../specs/errors.ts';
import { bakeMinimal, minimalImage } from '../../vm-factory/image/bake-minimal.ts';
import { ImageStore } from '../../vm-factory/image/image-store.ts';
import { qemuFacts } from '../../vm-factory/qemu/accelerator.ts';
import { machineType } from '../../vm-factory/qemu/command-line.ts';
import type { Progress } from './progress.ts';
import { qemuProvider } from './provider.ts';
import type { LocalState, StatePaths } from './state.ts';

const setup = fileURLToPath(new URL('../setup/prepare.mjs', import.meta.url));

/** Installs what is missing and finds out how QEMU runs here. Errors: SETUP_FAILED, QEMU_MISSING. */
export async function findQemu(progress: Progress, signal: AbortSignal): Promise<NonNullable<LocalState['qemu']>> {
  progress.start('Find QEMU');
  await installPackages(signal);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return { images: join(cache, 'mcp', 'machines'), ...(await qemuFacts()) };
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

/** Bakes the image (or finds it baked), saves its template and clones it. Quick where all of that is there. */
export async function prepareVirtualMachines(
  paths: StatePaths,
  state: LocalState,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  if (!state.qemu) return;
  const { images, version } = state.qemu;
  progress.start(`Bake the image ${minimalImage}`);
  await bakeMinimal({
    store: new ImageStore(images),
    qemu: { version, machineType },
    report: { step: (name, cached) => progress.tell(`${name}${cached ? ' (kept)' : ''}`), output: () => {} },
    signal,
  });
  progress.start(`Boot the template and clone it (${state.qemu.accelerator})`);
  const provider = qemuProvider(paths, state, state.qemu);
  try {
    await provider.prepare(minimalImage, undefined, signal);
  } finally {
    await provider.close();
  }
}
