/** The disks that a machine may write to: overlays in its folder, each of something that is never written. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ownName, unless } from '../process/files.ts';
import { unavailable } from '../provider-errors.ts';
import { type GuestFiles, type MachineShape, overlayFile } from './command-line.ts';

export interface Overlay {
  name: 'root' | 'work';
  /** What it starts from. */
  base: string;
  format: 'raw' | 'qcow2';
  /** `base` is an overlay itself, and is copied: what it is of may change. */
  copied?: boolean;
}

/**
 * The overlays of a machine of this shape that boots. An empty disk is formatted once and kept beside the image.
 * Errors: PROVIDER_UNAVAILABLE.
 */
export async function bootOverlays(imageDir: string, files: GuestFiles, shape: MachineShape): Promise<Overlay[]> {
  const root = files.disk === undefined ? [] : [{ name: 'root', base: files.disk, format: 'raw' } as const];
  if (shape.diskMb === 0) return root;
  return [...root, { name: 'work', base: await emptyDisk(imageDir, shape.diskMb), format: 'raw' }];
}

/** The overlays of a clone: what the template wrote while it booted is under them. */
export function cloneOverlays(templateDir: string, files: GuestFiles, shape: MachineShape): Overlay[] {
  const names = [
    ...(files.disk === undefined ? [] : ['root' as const]),
    ...(shape.diskMb === 0 ? [] : ['work' as const]),
  ];
  return names.map((name) => ({ name, base: join(templateDir, overlayFile(name)), format: 'qcow2' }));
}

/** Makes them in the machine's folder. Errors: PROVIDER_UNAVAILABLE. */
export async function makeOverlays(folder: string, overlays: readonly Overlay[]): Promise<void> {
  for (const { name, base, format, copied } of overlays) {
    const path = join(folder, overlayFile(name));
    if (copied) await copyFile(base, path);
    else await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', format, '-b', base, path]);
  }
}

async function emptyDisk(imageDir: string, megabytes: number): Promise<string> {
  const folder = join(imageDir, 'disks');
  const path = join(folder, `${megabytes}m.ext4`);
  if (await unless(stat(path), null, 'ENOENT')) return path;
  const staging = join(imageDir, 'staging');
  for (const dir of [folder, staging]) await mkdir(dir, { recursive: true });
  const draft = join(staging, ownName());
  // No journal: after a crash of the host there is no machine either.
  await run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', draft, `${megabytes}M`]);
  await rename(draft, path);
  return path;
}

/** A copy with the same holes. Errors: PROVIDER_UNAVAILABLE. */
export async function copySparse(from: string, to: string): Promise<void> {
  await run('cp', ['--sparse=always', '--reflink=auto', from, to]);
}

async function run(program: string, args: string[]): Promise<void> {
  await promisify(execFile)(program, args, {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  }).catch((cause: unknown) => {
    const said = String(Object(cause).stderr ?? '').trim();
    throw unavailable(`${program} failed: ${said || (cause instanceof Error ? cause.message : cause)}`, {
      cause,
      hint: 'See that its package is installed and that the disk is not full.',
    });
  });
}
