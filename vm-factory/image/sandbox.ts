/**
 * How commands run as root inside the tree of files that an image is made of: in namespaces of their own, so that mounts,
 * background processes and what they hold are gone with the command, however it ends. As root by itself; otherwise by a
 * user namespace with a range of the user's own ids.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { McpError } from '../../specs/errors.ts';

/** A file or folder of the host that is seen in the tree while a command runs: itself, or copies in memory of its files that we may read. */
export interface Bind {
  from: string;
  to: string;
  copied?: boolean;
}

export interface Sandbox {
  kind: 'root' | 'user-namespace';
  /** argv for a program of the host's that owns the tree's files: to pack, measure or remove them. */
  asOwner(argv: readonly string[]): string[];
  /** argv for a program in the tree, in its root folder. */
  inTree(tree: string, argv: readonly string[], binds?: readonly Bind[]): string[];
}

const namespaces = [
  'unshare',
  '--mount',
  '--pid',
  '--ipc',
  '--uts',
  '--fork',
  '--kill-child=KILL',
  '--propagation=private',
];
const users = ['unshare', '--user', '--map-root-user', '--map-auto'];
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const environment = [
  `PATH=${path}`,
  'HOME=/root',
  'LC_ALL=C.UTF-8',
  'DEBIAN_FRONTEND=noninteractive',
  'DEBCONF_NONINTERACTIVE_SEEN=true',
];

/**
 * Makes the tree look like a running system's and enters it: arguments are the tree, how many binds follow (three words each),
 * the binds, the command. Its /tmp and /run are in memory and go.
 */
const enter = `set -e
tree=$1 binds=$2; shift 2
mount --bind "$tree" "$tree"
mkdir -p "$tree/proc" "$tree/sys" "$tree/dev" "$tree/run" "$tree/tmp" "$tree/etc"
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount -t tmpfs -o mode=0755 dev "$tree/dev"
for name in null zero full random urandom tty; do
  : > "$tree/dev/$name"
  mount --bind "/dev/$name" "$tree/dev/$name"
done
ln -s /proc/self/fd "$tree/dev/fd"
for at in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/\${at%:*}" "$tree/dev/\${at#*:}"; done
mkdir "$tree/dev/shm"
mount -t tmpfs -o mode=1777 shm "$tree/dev/shm"
mount -t tmpfs -o mode=0755 run "$tree/run"
mount -t tmpfs -o mode=1777 tmp "$tree/tmp"
mkdir "$tree/run/lock"
while [ "$binds" -gt 0 ]; do
  # A link would be followed out of the tree.
  if [ ! -L "$tree$2" ]; then
    if [ -d "$1" ]; then mkdir -p "$tree$2"; else : >> "$tree$2"; fi
    if [ "$3" = copied ]; then
      mount -t tmpfs -o mode=0755 copy "$tree$2"
      for file in "$1"/*; do
        if [ -f "$file" ] && [ -r "$file" ]; then cp -a "$file" "$tree$2/"; fi
      done
    else
      mount --bind "$1" "$tree$2"
    fi
  fi
  shift 3
  binds=$((binds - 1))
done
exec env -i ${environment.join(' ')} chroot "$tree" "$@"
`;

function sandboxBy(kind: Sandbox['kind'], prefix: readonly string[]): Sandbox {
  return {
    kind,
    asOwner: (argv) => [...prefix, ...argv],
    inTree: (tree, argv, binds = []) => {
      const bound = binds.flatMap(({ from, to, copied }) => [from, to, copied ? 'copied' : 'itself']);
      return [...prefix, ...namespaces, '/bin/sh', '-c', enter, 'enter', tree, String(binds.length), ...bound, ...argv];
    },
  };
}

/**
 * The way that works on this machine, found out by trying. Errors: IMAGE_SANDBOX_MISSING, which says exactly what is missing.
 */
export async function findSandbox(): Promise<Sandbox> {
  const root = process.getuid?.() === 0;
  const sandbox = root ? sandboxBy('root', []) : sandboxBy('user-namespace', users);
  const [program = '', ...args] = sandbox.asOwner([...namespaces, 'mount', '-t', 'tmpfs', 'trial', '/tmp']);
  try {
    await promisify(execFile)(program, args);
    return sandbox;
  } catch (cause) {
    const said =
      String(Object(cause).stderr ?? cause)
        .trim()
        .split('\n')
        .at(-1) ?? '';
    throw missing(root ? [`this root may not make namespaces and mount: ${said}`] : await whatUsersLack(said), cause);
  }
}

async function whatUsersLack(said: string): Promise<string[]> {
  const { username } = userInfo();
  const lacks: string[] = [];
  const found = await Promise.allSettled([promisify(execFile)('which', ['newuidmap']), rangesOf(username)]);
  if (found[0].status === 'rejected') lacks.push("Debian's package uidmap is not installed");
  const ranges = found[1].status === 'fulfilled' ? found[1].value : [];
  for (const file of ['/etc/subuid', '/etc/subgid'])
    if (!ranges.includes(file)) lacks.push(`${file} has no line ${username}:100000:65536`);
  return lacks.length > 0 ? lacks : [`user namespaces do not work here: ${said}`];
}

/** Which of the two files give the user a range. */
async function rangesOf(username: string): Promise<string[]> {
  const files = await Promise.all(
    ['/etc/subuid', '/etc/subgid'].map(async (file) => {
      const text = await readFile(file, 'utf8').catch(() => '');
      return text.split('\n').some((line) => line.startsWith(`${username}:`)) ? [file] : [];
    }),
  );
  return files.flat();
}

function missing(lacks: readonly string[], cause: unknown): McpError {
  return new McpError('IMAGE_SANDBOX_MISSING', `images can't be baked here: ${lacks.join('; ')}`, {
    cause,
    hint: 'Bake as root, or let root give what is missing; the image minimal needs none of it.',
  });
}
