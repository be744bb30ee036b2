/** The minimal image's root: Node with its libraries, busybox, the agent; an ext4 file system made without root. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import PQueue from 'p-queue';
import type { BakeStep } from './bake-steps.ts';
import { fileDigest } from './file-digest.ts';
import { busyboxNames, guestHome, rootFiles, rootFolders } from './guest-root.ts';
import { asJavaScript, importClosure } from './import-closure.ts';

/** This repository's checkout. */
const checkout = fileURLToPath(new URL('../../', import.meta.url));
const agentEntry = 'vm-factory/guest/main.ts';
const agentExtras = ['vm-factory/guest/renew.pl'];
const blockBytes = 4096;
/** A file system's identity is part of its bytes. */
const diskUuid = '6d637000-0000-4000-8000-000000000001';

interface Placed {
  from: string;
  /** Absolute path in the guest. */
  to: string;
  mode: 'program' | 'file';
}

/** What the host gives to every image: programs with the libraries they load. */
async function programs(busybox: string): Promise<Placed[]> {
  const wanted = [
    { from: process.execPath, to: '/usr/bin/node' },
    { from: '/usr/bin/perl', to: '/usr/bin/perl' },
  ];
  const libraries = await Promise.all(wanted.map(({ from }) => librariesOf(from)));
  const placed = new Map([
    ...libraries.flat().map((path) => [path, path] as const),
    ...wanted.map(({ from, to }) => [to, from] as const),
    ['/bin/busybox', busybox] as const,
  ]);
  return [...placed].map(([to, from]) => ({ from, to, mode: 'program' as const }));
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ldd', [program]);
  return [...stdout.matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)].map(([, path = '']) => path);
}

/** The step's folder then holds `root.ext4`. */
export async function rootDiskStep(busybox: string): Promise<BakeStep> {
  const { files } = await importClosure(checkout, [agentEntry]);
  const sources = [...files, ...agentExtras].map((file) => ({
    from: join(checkout, file),
    to: `${guestHome}/${file.replace(/\.ts$/, '.js')}`,
    mode: 'file' as const,
  }));
  const placed = [...(await programs(busybox)), ...sources].sort((a, b) => (a.to < b.to ? -1 : 1));
  const digests = await Promise.all(
    placed.map(async ({ from, to, mode }) => ({ to, mode, is: await fileDigest(from) })),
  );
  return {
    name: 'root file system',
    inputs: { placed: digests, rootFiles, rootFolders, busyboxNames, diskUuid },
    run: async ({ dir, command }) => {
      const tree = join(dir, 'tree');
      await plant(tree, placed);
      const bytes = (await Promise.all(placed.map(({ from }) => stat(from)))).reduce(
        (sum, { size }) => sum + Math.ceil(size / blockBytes + 1) * blockBytes,
        0,
      );
      const blocks = Math.ceil((bytes * 1.05) / blockBytes) + 2_048;
      const extras = `hash_seed=${diskUuid},root_owner=0:0`;
      const options = ['-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-U', diskUuid, '-E', extras];
      await command('mke2fs', ...options, '-b', String(blockBytes), '-d', 'tree', 'root.ext4', String(blocks));
      await command('rm', '-r', 'tree');
    },
  };
}

async function plant(tree: string, placed: readonly Placed[]): Promise<void> {
  const files = rootFiles.map(({ path }) => path);
  const folders = new Set([
    ...rootFolders,
    ...[...placed.map(({ to }) => to), ...files].map((path) => dirname(path)),
    'bin',
    'sbin',
  ]);
  for (const folder of folders) await mkdir(join(tree, folder), { recursive: true });
  const queue = new PQueue({ concurrency: 16 });
  try {
    await queue.addAll(
      placed.map(({ from, to, mode }) => async () => {
        if (from.endsWith('.ts')) await writeFile(join(tree, to), asJavaScript(await readFile(from, 'utf8')));
        else await copyFile(from, join(tree, to));
        if (mode === 'program') await chmod(join(tree, to), 0o755);
      }),
    );
  } finally {
    // After a failure nobody may still be writing into what is removed.
    queue.clear();
    await queue.onIdle();
  }
  for (const { path, text, program } of rootFiles)
    await writeFile(join(tree, path), text, { mode: program ? 0o755 : 0o644 });
  for (const name of busyboxNames) await symlink('/bin/busybox', join(tree, 'bin', name));
  await symlink('/bin/busybox', join(tree, 'sbin', 'init'));
}
