/**
 * Makes a fresh Debian machine ready for `npm run up`, `npm test` and the benchmarks: npm packages by the lock file, Debian
 * packages by apt. Runs on any Node >= 20 before anything is installed, hence plain JavaScript without dependencies.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const purpose = process.argv[2] ?? 'up';
/** Its time is when apt's lists were fetched last. */
const updateStamp = join(root, 'node_modules', '.mcp-setup-apt-update');

/** What each Debian package is needed for and how its presence is told. */
const debianPackages = [
  {
    name: 'default-jre-headless',
    why: 'runs ZooKeeper',
    for: ['up', 'test', 'bench'],
    present: () => onPath('java'),
  },
  {
    name: 'zookeeper',
    why: 'the registry',
    for: ['up', 'test', 'bench'],
    present: () => existsSync('/usr/share/java/zookeeper.jar'),
  },
  {
    name: 'nginx',
    why: 'the gateway',
    for: ['up', 'test', 'bench'],
    present: () => onPath('nginx') || executable('/usr/sbin/nginx'),
  },
  {
    name: 'libnginx-mod-http-lua',
    why: 'routes change without a reload',
    for: ['up', 'test', 'bench'],
    present: () => existsSync('/usr/lib/nginx/modules/ngx_http_lua_module.so'),
  },
  {
    name: 'haproxy',
    why: "a peer in the gateway's benchmark",
    for: ['bench'],
    present: () => onPath('haproxy') || executable('/usr/sbin/haproxy'),
  },
  {
    name: 'apache2-utils',
    why: "the load of the gateway's benchmark (ab)",
    for: ['bench'],
    present: () => onPath('ab'),
  },
  {
    name: 'qemu-system-x86',
    why: 'virtual machines',
    for: ['qemu', 'test', 'bench'],
    present: () => onPath('qemu-system-x86_64'),
  },
  {
    name: 'qemu-utils',
    why: "virtual machines' own disks",
    for: ['qemu', 'test', 'bench'],
    present: () => onPath('qemu-img'),
  },
  {
    name: 'busybox-static',
    why: "the machines' images",
    for: ['qemu', 'test', 'bench'],
    present: () => executable('/bin/busybox'),
  },
  {
    name: 'e2fsprogs',
    why: "the machines' disks",
    for: ['qemu', 'test', 'bench'],
    present: () => onPath('mke2fs') || executable('/usr/sbin/mke2fs'),
  },
  {
    name: 'mmdebstrap',
    why: "images' Debian base",
    for: ['qemu', 'test'],
    present: () => onPath('mmdebstrap'),
  },
  { name: 'openssl', why: 'the tests make certificates', for: ['test'], present: () => onPath('openssl') },
  { name: 'procps', why: 'the tests look for processes', for: ['test', 'bench'], present: () => onPath('pgrep') },
  {
    name: 'libcurator-discovery-java',
    why: "the tests register by Curator's own client",
    for: ['test'],
    present: () => existsSync('/usr/share/java/curator-x-discovery.jar'),
  },
  { name: 'chromium', why: 'the tests look at the pages', for: ['test'], present: () => onPath('chromium') },
];

main().catch((error) => {
  console.error(`setup: ${error.message}`);
  process.exit(1);
});

async function main() {
  if (purpose === 'down' && existsSync(join(root, 'node_modules', 'commander'))) return;
  // Asked for by a running `mcp`, which has them and must not lose them under its feet.
  if (purpose !== 'qemu') await step('npm packages', installNpmPackages);
  if (purpose === 'down') return;
  await step('Debian packages', installDebianPackages);
  requireRuntime();
}

/** Runs one step; a step that did something says how long it took. */
async function step(name, run) {
  const started = performance.now();
  const did = await run();
  if (did) console.log(`setup: ${name}: ${did} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

/**
 * `npm ci` where node_modules does not belong to package-lock.json. Running needs none of the development packages, which
 * are most of the download: they come with the first test or benchmark.
 */
async function installNpmPackages() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = join(root, 'node_modules', '.mcp-setup-lock');
  const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  const runtimeOnly = purpose === 'up' || purpose === 'down';
  if (installed === lock || (runtimeOnly && installed === `runtime only\n${lock}`)) return '';
  if (existsSync(join(root, 'node_modules')) && purpose !== 'up' && isLinked()) return '';
  console.log('setup: installing npm packages from package-lock.json (npm ci)');
  const npm = process.env.npm_execpath;
  const command = npm ? [process.execPath, npm] : ['npm'];
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await run([...command, 'ci', ...(runtimeOnly ? ['--omit=dev'] : []), ...quiet], { cwd: root });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, runtimeOnly ? `runtime only\n${lock}` : lock);
  return 'installed';
}

/** A linked node_modules belongs to another checkout: not ours to replace. */
function isLinked() {
  return spawnSync('test', ['-L', join(root, 'node_modules')]).status === 0;
}

async function installDebianPackages() {
  const missing = debianPackages.filter((entry) => entry.for.includes(purpose) && !entry.present());
  if (missing.length === 0) return '';
  const names = missing.map((entry) => entry.name);
  const list = missing.map((entry) => `  ${entry.name}: ${entry.why}`).join('\n');
  const advice = `Install by hand, then try again:\n  apt-get update && apt-get install --no-install-recommends ${names.join(' ')}`;
  if (!onPath('apt-get')) {
    throw new Error(`these are missing and this is not Debian (no apt-get):\n${list}\n${advice}`);
  }
  const prefix = rootPrefix();
  if (!prefix) throw new Error(`these are missing and installing them needs root:\n${list}\n${advice}`);
  console.log(`setup: installing Debian packages:\n${list}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = [...prefix, 'apt-get', '-o', 'DPkg::Lock::Timeout=300', '-q', '-y'];
  await withoutServiceStarts(prefix, async () => {
    try {
      if (!justUpdated()) await run([...apt, 'update'], { env, quiet: true });
      rememberUpdate();
      await run([...apt, 'install', '--no-install-recommends', ...names], { env, quiet: true });
    } catch (error) {
      throw new Error(`apt-get failed: ${error.message}\n${advice}`);
    }
  });
  return `installed ${names.join(', ')}`;
}

/** What `up` needs first and what virtual machines need comes in two steps: the lists are fetched once, ms. */
function justUpdated() {
  return existsSync(updateStamp) && Date.now() - statSync(updateStamp).mtimeMs < 600_000;
}

function rememberUpdate() {
  mkdirSync(dirname(updateStamp), { recursive: true });
  writeFileSync(updateStamp, '');
}

/** [] as root, ['sudo', '-n'] where that works without a password, null otherwise. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : null;
}

/** Debian packages start their services when installed; ours are started by `up`, on ports of their own. */
async function withoutServiceStarts(prefix, body) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy) || prefix.length > 0) return body();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return await body();
  } finally {
    rmSync(policy, { force: true });
  }
}

/** The node that npm scripts get: the pinned one in node_modules/.bin where there is one, else the user's. */
function requireRuntime() {
  const pinned = join(root, 'node_modules', '.bin', 'node');
  const node = executable(pinned) ? pinned : process.execPath;
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
  if (Number(/^v(\d+)/.exec(version)?.[1] ?? 0) < 24) {
    throw new Error(
      `Node 24 or newer is needed and this platform (${process.platform} ${process.arch}) has no pinned one; found ${version}`,
    );
  }
}

function onPath(name) {
  return (process.env.PATH ?? '').split(':').some((dir) => dir && executable(join(dir, name)));
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a command to its end; with `quiet` its output is shown only if it fails. A dot every two seconds shows life. */
function run([command, ...args], { cwd, env, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    const dots = quiet ? setInterval(() => process.stdout.write('.'), 2000) : undefined;
    const end = () => {
      clearInterval(dots);
      if (dots) process.stdout.write('\n');
    };
    child.on('error', (error) => {
      end();
      reject(error);
    });
    child.on('close', (code, signal) => {
      end();
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}\n${output.slice(-4000)}`));
    });
  });
}
