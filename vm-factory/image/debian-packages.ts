/** Debian packages by the machine's own apt: which versions a fresh system would get, and from where. Nothing is installed here. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { McpError } from '../../specs/errors.ts';

export interface PackageVersion {
  name: string;
  version: string;
}

export interface DebianRelease {
  codename: string;
  /** Lines of a sources.list: the Debian archives that this machine uses, and no others. */
  sources: string[];
}

const mostOutput = 32 * 1024 * 1024;

/** Errors: IMAGE_INPUT_MISSING (this machine's apt knows no Debian archive). */
export async function debianRelease(): Promise<DebianRelease> {
  const fields = ['CREATED_BY', 'ORIGIN', 'REPO_URI', 'RELEASE', 'CODENAME', 'COMPONENT', 'SIGNED_BY'];
  const format = fields.map((field) => `$(${field})`).join('|');
  const targets = (await apt(['apt-get', 'indextargets', '--format', format]))
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([createdBy, origin]) => createdBy === 'Packages' && origin === 'Debian');
  const sources = targets.map(([, , uri, release, , component, signedBy]) => {
    // apt leaves a field that is empty as it was asked for.
    const options = signedBy?.startsWith('/') ? `[signed-by=${signedBy}] ` : '';
    return `deb ${options}${uri} ${release} ${component}`;
  });
  // The release itself is the one that its updates are named after.
  const codename = targets.map(([, , , , name = '']) => name).sort((a, b) => a.length - b.length)[0];
  if (codename !== undefined) return { codename, sources: [...new Set(sources)].sort() };
  throw noApt();
}

/**
 * All packages that a system gets which starts empty and wants these (names or apt patterns), sorted by name.
 * Errors: IMAGE_PACKAGE_UNKNOWN, IMAGE_INPUT_MISSING.
 */
export async function resolvePackages(wanted: readonly string[]): Promise<PackageVersion[]> {
  const empty = ['-o', 'Dir::State::status=/dev/null', '-o', 'Dir::Etc::preferences=/dev/null'];
  const plain = ['-o', 'APT::Install-Recommends=false', '-o', 'APT::Architectures=amd64'];
  const said = await apt(['apt-get', '--simulate', ...empty, ...plain, 'install', ...wanted]);
  const found = [...said.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name = '', version = '']) => ({ name, version }));
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Proxy settings and the like that the machine's apt needs to reach its archives, as `Name "value";` lines. */
export async function aptTransport(): Promise<string[]> {
  const said = await apt(['apt-config', 'dump', 'Acquire']);
  return said.split('\n').filter((line) => /^Acquire::(?:https?|ftp)::Proxy(?:::\S+)? "/i.test(line));
}

async function apt([program = '', ...args]: string[]): Promise<string> {
  try {
    const options = { env: { ...process.env, LC_ALL: 'C' }, maxBuffer: mostOutput };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (cause) {
    const said = String(Object(cause).stderr ?? '');
    const unknown = [...said.matchAll(/Unable to locate package (\S+)|Package '?([^\s']+)'? has no installation/g)];
    const names = unknown.map(([, one, other]) => one ?? other ?? '');
    if (names.length > 0)
      throw new McpError('IMAGE_PACKAGE_UNKNOWN', `Debian has no package ${names.join(', ')} for this release`, {
        cause,
        hint: 'Correct the names in the image; where a package is new, run apt-get update.',
      });
    const errors = said.split('\n').filter((line) => line.startsWith('E:'));
    throw noApt(cause, errors.join(' '));
  }
}

function noApt(cause?: unknown, said = ''): McpError {
  return new McpError('IMAGE_INPUT_MISSING', `apt can't tell what a Debian image would hold${said && `: ${said}`}`, {
    cause,
    hint: 'Run apt-get update; images are baked from Debian packages on Debian 12 or newer.',
  });
}
