/** Debian's own kernel, downloaded and unpacked without being installed. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { McpError } from '../../specs/errors.ts';
import type { BakeStep } from './bake-steps.ts';

export interface KernelPackage {
  /** The versioned package, e.g. `linux-image-6.1.0-56-cloud-amd64`. */
  name: string;
  version: string;
  sha256: string;
}

/** Depends on the kernel that is current in the machine's Debian release. */
const metaPackage = 'linux-image-cloud-amd64';

/** Errors: IMAGE_INPUT_MISSING (apt knows no kernel). */
export async function currentKernel(): Promise<KernelPackage> {
  const depends = await aptCache('depends', '--no-recommends', '--no-suggests', metaPackage);
  const name = /^\s*Depends:\s*(linux-image-\S+)/m.exec(depends)?.[1];
  const shown = name ? await aptCache('show', '--no-all-versions', name) : '';
  const version = /^Version: (\S+)/m.exec(shown)?.[1];
  const sha256 = /^SHA256: ([0-9a-f]{64})$/m.exec(shown)?.[1];
  if (name && version && sha256) return { name, version, sha256 };
  throw unknownKernel();
}

/** The step's folder then holds `boot/` and `lib/modules/`. apt checks the package against its signed list. */
export function kernelStep(kernel: KernelPackage): BakeStep {
  return {
    name: `Debian kernel ${kernel.name} ${kernel.version}`,
    inputs: kernel,
    run: async ({ dir, command }) => {
      await command(['apt-get', 'download', `${kernel.name}=${kernel.version}`]);
      const [deb] = (await readdir(dir)).filter((name) => name.endsWith('.deb'));
      if (!deb) throw new Error('apt-get download left no package');
      await command(['dpkg-deb', '--extract', deb, '.']);
      await command(['rm', '-r', deb, './usr']);
    },
  };
}

/** Paths inside the kernel step's folder. */
export async function kernelPaths(folder: string): Promise<{ kernel: string; modules: string }> {
  const [image] = (await readdir(join(folder, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  const [version] = await readdir(join(folder, 'lib', 'modules'));
  return {
    kernel: join(folder, 'boot', image ?? ''),
    modules: join(folder, 'lib', 'modules', version ?? '', 'kernel'),
  };
}

async function aptCache(...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)('apt-cache', args, { env: { ...process.env, LC_ALL: 'C' } })).stdout;
  } catch (cause) {
    throw unknownKernel(cause);
  }
}

function unknownKernel(cause?: unknown): McpError {
  return new McpError('IMAGE_INPUT_MISSING', `apt knows no ${metaPackage}`, {
    cause,
    hint: 'Run apt-get update; images are baked from Debian packages on Debian 12 or newer.',
  });
}
