/** The `debian` base and its packages as layers, made by mmdebstrap and apt from this machine's own lists and archives. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { McpError } from '../../specs/errors.ts';
import type { StepRun } from './bake-steps.ts';
import {
  aptTransport,
  type DebianRelease,
  debianRelease,
  type PackageVersion,
  resolvePackages,
} from './debian-packages.ts';
import { layerFile } from './layer-tree.ts';
import type { Bind, Sandbox } from './sandbox.ts';

/** A system that can install packages, and what the agent's Node needs. */
const basePackages = ['?essential', 'apt', 'libstdc++6'];
const lists = '/var/lib/apt/lists';
/** Manuals are for people; nobody logs in. */
const leftOut = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/info/*', '/usr/share/locale/*'];

export interface DebianInputs {
  release: DebianRelease;
  base: PackageVersion[];
  /** What the declared packages bring beyond the base. */
  added: PackageVersion[];
}

/** What goes into a Debian image with these packages today. Errors: IMAGE_INPUT_MISSING, IMAGE_PACKAGE_UNKNOWN. */
export async function debianInputs(packages: readonly string[]): Promise<DebianInputs> {
  const [release, base, all] = await Promise.all([
    debianRelease(),
    resolvePackages(basePackages),
    packages.length > 0 ? resolvePackages([...basePackages, ...packages]) : [],
  ]);
  const inBase = new Set(base.map(({ name }) => name));
  return { release, base, added: all.filter(({ name }) => !inBase.has(name)) };
}

/** For every apt in the tree: it is root of nothing but the tree, power failures do not matter, and caches only take room. */
const aptSettings = ['APT::Sandbox::User "root"', 'Dir::Cache::pkgcache ""', 'Dir::Cache::srcpkgcache ""'];
/** Nothing that is installed is started: a machine runs what its environment declares. */
const startNothing = `printf '#!/bin/sh\\nexit 101\\n' > "$1/usr/sbin/policy-rc.d" && chmod 755 "$1/usr/sbin/policy-rc.d"`;

/** What the base layer depends on. Where its packages come from does not matter: apt checks what they are. */
export function baseInputs({ release, base }: DebianInputs): unknown {
  return { codename: release.codename, base, leftOut, aptSettings, startNothing };
}

/** Writes the base as a layer into `step.dir`; `temporary` is a folder to work in, which somebody else removes. */
export async function makeDebianBase(
  step: StepRun,
  { release }: DebianInputs,
  sandbox: Sandbox,
  temporary: string,
): Promise<void> {
  const sources = join(temporary, 'sources.list');
  await writeFile(sources, `${release.sources.join('\n')}\n`);
  const options = [
    `--mode=${sandbox.kind === 'root' ? 'root' : 'unshare'}`,
    '--variant=apt',
    '--format=tar',
    '--skip=update',
    `--include=${basePackages.filter((name) => !name.startsWith('?')).join(',')}`,
    // The lists by which the versions were chosen: another update meanwhile would choose others.
    `--setup-hook=cp -a ${lists}/*_* "$1${lists}/"`,
    `--essential-hook=${startNothing}`,
    '--dpkgopt=force-unsafe-io',
    ...leftOut.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...[...aptSettings, ...(await aptTransport())].map((line) => `--aptopt=${line}`),
  ];
  const strap = ['env', `TMPDIR=${temporary}`, 'mmdebstrap', ...options, release.codename, '-', sources];
  // As root it mounts: in a namespace of its own nothing of that is left behind, however it ends.
  const apart = ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  const argv = sandbox.kind === 'root' ? [...apart, ...strap] : strap;
  await step.command(argv, { toZstd: join(step.dir, layerFile) }).catch((cause: unknown) => {
    if (!/ended with 127$/.test(String(cause))) throw cause;
    throw new McpError('IMAGE_INPUT_MISSING', 'mmdebstrap is not here', {
      cause,
      hint: "Install Debian's mmdebstrap.",
    });
  });
}

/** apt in the tree: by this machine's lists, with the packages that were fetched before. */
export function aptBinds(archives: string): Bind[] {
  return [
    { from: lists, to: lists, copied: true },
    { from: archives, to: '/var/cache/apt/archives' },
    { from: '/etc/resolv.conf', to: '/etc/resolv.conf' },
  ];
}

/** argv that installs exactly these. */
export function installCommand(packages: readonly PackageVersion[]): string[] {
  const exactly = packages.map(({ name, version }) => `${name}=${version}`);
  return ['apt-get', '-y', '-q', '-o', 'Dpkg::Use-Pty=0', '--no-install-recommends', 'install', ...exactly];
}
