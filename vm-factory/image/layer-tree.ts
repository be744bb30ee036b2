/** The tree of files that a declared image grows in, and the layers that are kept of it: one archive after each step. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { StepRun } from './bake-steps.ts';
import { runCommand } from './run-command.ts';
import type { Bind, Sandbox } from './sandbox.ts';

/** In a layer step's folder: the whole tree, not what the step changed. Whole ones need no care about deletions and moves. */
export const layerFile = 'layer.tar.zst';

const kept = ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--one-file-system'];
/** Devices are the sandbox's and the guest kernel's part; a user namespace may not make them. */
const withoutDevices = '--exclude=./dev/*';

export class LayerTree {
  readonly path: string;
  readonly #dir: string;
  readonly #sandbox: Sandbox;
  /** Key of the layer that the tree is equal to; null where it is none. */
  #holds: string | null = null;

  /** @param dir a folder of its own, which need not exist */
  constructor(dir: string, sandbox: Sandbox) {
    this.#dir = dir;
    this.path = join(dir, 'tree');
    this.#sandbox = sandbox;
  }

  /** A new folder for what files of the tree's owners are put into; it goes with the tree. */
  async spare(name: string): Promise<string> {
    const path = join(this.#dir, name);
    await mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }

  /** Makes the tree equal to a layer, if it is not. */
  async become(key: string, folder: string, step: StepRun): Promise<void> {
    if (this.#holds === key) return;
    await this.remove();
    await mkdir(this.path, { recursive: true });
    const unpack = ['tar', '--extract', '--same-permissions', '--same-owner', ...kept, withoutDevices, '-C', this.path];
    await step.command(this.#sandbox.asOwner(unpack), { fromZstd: join(folder, layerFile) });
    this.#holds = key;
  }

  /** Runs a program in the tree, which is then no layer's any more. */
  async run(step: StepRun, argv: readonly string[], { binds, successCodes }: RunOptions = {}): Promise<void> {
    this.#holds = null;
    await step.command(this.#sandbox.inTree(this.path, argv, binds), { successCodes });
  }

  /** Keeps the tree as the layer of this key. */
  async save(key: string, step: StepRun): Promise<void> {
    const pack = ['tar', '--create', '--sort=name', ...kept, withoutDevices, '-C', this.path, '.'];
    await step.command(this.#sandbox.asOwner(pack), { toZstd: join(step.dir, layerFile) });
    this.#holds = key;
  }

  /** The tree as an ext4 file system in `step.dir`. */
  async toDisk(step: StepRun, script: string, words: readonly string[]): Promise<void> {
    await step.command(this.#sandbox.asOwner(['/bin/sh', '-c', script, 'disk', this.path, ...words]));
  }

  /** Its files may belong to others than us. */
  async remove(): Promise<void> {
    this.#holds = null;
    await removeTree(this.#dir, this.#sandbox);
  }
}

interface RunOptions {
  binds?: readonly Bind[];
  successCodes?: readonly number[];
}

/** Also where a user namespace's ids own the files. Errors: IMAGE_TREE_STUCK. */
export async function removeTree(dir: string, sandbox: Sandbox): Promise<void> {
  try {
    const options = { cwd: '/', signal: new AbortController().signal, onLine: () => {} };
    await runCommand(sandbox.asOwner(['rm', '-rf', '--one-file-system', dir]), options);
  } catch (cause) {
    throw new McpError('IMAGE_TREE_STUCK', `${dir} can't be removed`, {
      cause,
      hint: 'See what is mounted or running in it, and remove it as root.',
    });
  }
}
