/** What of this repository and of the host goes into images' roots, and how it is put there. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import PQueue from 'p-queue';
import { McpError } from '../../specs/errors.ts';
import { unless } from '../process/files.ts';
import { fileDigest } from './file-digest.ts';
import { guestHome, type RootFile } from './guest-root.ts';
import { asJavaScript, importClosure } from './import-closure.ts';

/** This repository's checkout. */
const checkout = fileURLToPath(new URL('../../', import.meta.url));
const agentEntry = 'vm-factory/guest/main.ts';
const agentExtras = ['vm-factory/guest/renew.pl', 'registrar/agent/fresh-random.ts'];
export const busybox = '/bin/busybox';

export interface Placed {
  from: string;
  /** Absolute path in the guest. */
  to: string;
  mode: 'program' | 'file';
}

/** Everything that is put into a root. Paths in it are relative to the root but for `placed`. */
export interface Planting {
  folders: readonly string[];
  placed: readonly Placed[];
  files: readonly RootFile[];
  /** From their paths to their targets. */
  links: readonly (readonly [path: string, target: string])[];
}

/** The agent's modules, to be JavaScript in the guest. Errors: IMAGE_INPUT_MISSING. */
export async function agentModules(): Promise<Placed[]> {
  const { files } = await importClosure(checkout, [agentEntry]);
  return [...files, ...agentExtras].map((file) => ({
    from: join(checkout, file),
    to: `${guestHome}/${file.replace(/\.ts$/, '.js')}`,
    mode: 'file' as const,
  }));
}

/** What the host gives to a root without a distribution: programs with the libraries they load. */
export async function hostPrograms(): Promise<Placed[]> {
  const wanted = [
    { from: process.execPath, to: '/usr/bin/node' },
    { from: '/usr/bin/perl', to: '/usr/bin/perl' },
  ];
  const libraries = await Promise.all(wanted.map(({ from }) => librariesOf(from)));
  const placed = new Map([
    ...libraries.flat().map((path) => [path, path] as const),
    ...wanted.map(({ from, to }) => [to, from] as const),
    [busybox, busybox] as const,
  ]);
  return [...placed].map(([to, from]) => ({ from, to, mode: 'program' as const }));
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ldd', [program]);
  return [...stdout.matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)].map(([, path = '']) => path);
}

/** Errors: IMAGE_INPUT_MISSING. */
export async function busyboxDigest(): Promise<string> {
  const digest = await unless(fileDigest(busybox), null, 'ENOENT');
  if (digest !== null) return digest;
  throw new McpError('IMAGE_INPUT_MISSING', `${busybox} is not here`, { hint: "Install Debian's busybox-static." });
}

/** The planting as a step's input: contents by their digests. */
export async function plantingInputs({ placed, ...rest }: Planting): Promise<unknown> {
  const sorted = [...placed].sort((a, b) => (a.to < b.to ? -1 : 1));
  const digests = await Promise.all(
    sorted.map(async ({ from, to, mode }) => ({ to, mode, is: await fileDigest(from) })),
  );
  return { ...rest, placed: digests };
}

/** Puts it all into a folder that is there, or is made. */
export async function plant(tree: string, { folders, placed, files, links }: Planting): Promise<void> {
  const parents = [...placed.map(({ to }) => to), ...files.map(({ path }) => path), ...links.map(([path]) => path)];
  for (const folder of new Set([...folders, ...parents.map((path) => dirname(path))]))
    await mkdir(join(tree, folder), { recursive: true });
  const queue = new PQueue({ concurrency: 16 });
  try {
    await queue.addAll(
      placed.map(({ from, to, mode }) => async () => {
        if (from.endsWith('.ts')) await writeFile(join(tree, to), asJavaScript(await readFile(from, 'utf8')));
        else await copyFile(from, join(tree, to));
        await chmod(join(tree, to), mode === 'program' ? 0o755 : 0o644);
      }),
    );
  } finally {
    // After a failure nobody may still be writing into what is removed.
    queue.clear();
    await queue.onIdle();
  }
  for (const { path, text, program } of files)
    await writeFile(join(tree, path), text, { mode: program ? 0o755 : 0o644 });
  for (const [path, target] of links) await symlink(target, join(tree, path));
}
