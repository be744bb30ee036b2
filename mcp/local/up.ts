/** `mcp up`: from nothing to desired = live on this machine. Idempotent: what runs already is left as it is. */

import { randomBytes, randomUUID } from 'node:crypto';
import { registryAccess } from '../../registrar/access.ts';
import { paths as nodes } from '../../registrar/layout.ts';
import { readDeclared, readDesired } from '../../registrar/recipes/desired-document.ts';
import { formatRegistry } from '../../registrar/recipes/format-registry.ts';
import { secureRegistry } from '../../registrar/recipes/secure-registry.ts';
import type { RegistryClient } from '../../registrar/registry-client.ts';
import { systemClock } from '../../registrar/system-clock.ts';
import { connectZooKeeper } from '../../registrar/zookeeper/client.ts';
import { untilServing, writeServerFiles, zooKeeperServer } from '../../registrar/zookeeper/server.ts';
import { McpError } from '../../specs/errors.ts';
import type { Environment } from '../../specs/nouns.ts';
import { runningVersions } from '../../specs/running-versions.ts';
import { askDocuments, type SourceWord, servesDocuments } from '../control/ask-gateway.ts';
import { applyEnvironment } from '../declare/apply-environment.ts';
import { loadEnvironment } from '../declare/load-environment.ts';
import type { StatusView } from '../view/status-view.ts';
import { freeAddressBlock, freePort } from './addresses.ts';
import { type DaemonSpec, daemonLog, ensureDaemon, findDaemon, stopDaemon } from './daemons.ts';
import type { Progress } from './progress.ts';
import { machineProvider, mcpCommand } from './provider.ts';
import { makeSecret, ownerOptions, readSecret } from './secret.ts';
import {
  defaultImageOf,
  type LocalState,
  readState,
  registryOf,
  type StatePaths,
  statePaths,
  writeState,
} from './state.ts';
import { findQemu, prepareVirtualMachines } from './virtual-machines.ts';
import { waitUntilServed } from './wait-until-served.ts';

/** Sessions may be 2 to 20 ticks long: from one second up. */
const zooKeeperTickMs = 500;

export interface UpOptions {
  dir: string;
  /** What to declare where nothing is declared yet, and nothing ever was in this folder or it is named; absolute. */
  file: string;
  /** An operator named `file`: it is meant also where this folder declared another one first. */
  fileNamed: boolean;
  /** Wanted port of the gateway; another free one is taken where it is in use. */
  port: number;
  controllers: number;
  provider: LocalState['provider'];
  sessionTimeoutMs: number;
  actor: string;
  signal: AbortSignal;
}

export interface UpResult {
  state: LocalState;
  status: StatusView;
  /** The environment file was declared now; false: something was declared already, and the file was not looked at. */
  declared: boolean;
}

/**
 * The three steps that `up` consists of after the packages are there; each can be repeated at any time. Whoever calls it holds
 * the folder (see folder-lock.ts).
 */
export async function up(options: UpOptions, progress: Progress): Promise<UpResult> {
  progress.start('Choose ports and addresses');
  const paths = statePaths(options.dir);
  const state = readState(options.dir) ?? (await makeState(options, progress));
  await makeSecret(paths.secret);
  await startZooKeeper(paths, state, progress, options.signal);
  const fresh = await prepareRegistry(paths, state, progress, options.signal);
  const environment = fresh
    ? await load(paths, state, options.fileNamed ? options.file : state.environmentFile, progress)
    : await declaredNow(paths, state, options.signal);
  await prepareVirtualMachines(paths, state, environment, progress, options.signal);
  progress.start('Start controller and gateway');
  if (!(await findDaemon(paths, 'supervisor'))) {
    for (const spec of daemons(options.dir, state)) await ensureDaemon(paths, spec);
  } else if (fresh) {
    await endThoseOfAnotherRegistry(paths, state, progress);
  }
  const client = await connect(paths, state, options.signal);
  const provider = machineProvider(paths, state);
  try {
    if (fresh && environment)
      await applyEnvironment(client, environment, {
        author: options.actor,
        reason: `up -f ${options.fileNamed ? options.file : state.environmentFile}`,
        confirmed: true,
        at: systemClock.now(),
      });
    const status = await waitUntilServed({ client, provider, paths, progress, signal: options.signal });
    await waitForDocuments(client, status, progress, options.signal);
    return { state, status, declared: fresh };
  } finally {
    await provider.close();
    await client.close();
  }
}

/** Every daemon of the environment but ZooKeeper; the supervisor keeps all of them running. */
export function daemons(dir: string, state: LocalState): DaemonSpec[] {
  const node = process.execPath;
  const local = ['--state', dir];
  const controllers = Array.from({ length: state.controllers }, (_, at) => ({
    name: `controller-${at + 1}`,
    command: node,
    args: mcpCommand('controller', 'run', '--id', `controller-${at + 1}`, ...local),
  }));
  return [
    ...controllers,
    { name: 'gateway-1', command: node, args: mcpCommand('gateway', 'run', '--id', 'gateway-1', ...local) },
    { name: 'supervisor', command: node, args: mcpCommand('supervisor', 'run', ...local) },
  ];
}

/**
 * Where ZooKeeper's data was removed under running daemons, no server takes their sessions any more: it refuses whoever has seen a
 * later transaction than it knows of, without a word, and they would wait for ever. The supervisor starts them anew; nginx serves on.
 */
async function endThoseOfAnotherRegistry(paths: StatePaths, state: LocalState, progress: Progress): Promise<void> {
  const names = daemons(paths.dir, state).map(({ name }) => name);
  const old = names.filter((name) => name !== 'supervisor');
  progress.tell(`the registry is new: ${old.join(' and ')} begin anew`);
  await Promise.all(old.map((name) => stopDaemon(paths, name, daemonGraceMs)));
}

/** ZooKeeper as a daemon of the environment. */
export async function zooKeeperDaemon(paths: StatePaths, state: LocalState): Promise<DaemonSpec> {
  const server = zooKeeperServer({
    dir: paths.zookeeper,
    clientPort: state.zookeeperPort,
    tickTimeMs: zooKeeperTickMs,
  });
  await writeServerFiles(server.files);
  return { name: 'zookeeper', command: server.command, args: server.args, env: server.env };
}

async function makeState(options: UpOptions, progress: Progress): Promise<LocalState> {
  const state: LocalState = {
    format: 1,
    createdAt: systemClock.now(),
    clusterId: randomUUID(),
    provider: options.provider,
    qemu: options.provider === 'qemu' ? await findQemu(progress, options.signal) : undefined,
    zookeeperPort: await freePort(),
    gateway: { address: '127.0.0.1', port: await freePort('127.0.0.1', options.port) },
    addressBlock: await freeAddressBlock(() => randomBytes(4).readUInt32BE() / 2 ** 32),
    environmentFile: options.file,
    controllers: options.controllers,
    sessionTimeoutMs: options.sessionTimeoutMs,
  };
  await writeState(options.dir, state);
  return state;
}

async function startZooKeeper(
  paths: StatePaths,
  state: LocalState,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  progress.start('Start ZooKeeper');
  // A running supervisor starts what is missing by itself; two starters could start one daemon twice.
  const supervised = (await findDaemon(paths, 'supervisor')) !== null;
  if (!supervised) await ensureDaemon(paths, await zooKeeperDaemon(paths, state));
  const over = new AbortController();
  const died = supervised ? null : untilGone(paths, 'zookeeper', AbortSignal.any([signal, over.signal]));
  try {
    const serving = untilServing(state.zookeeperPort, {
      timeoutMs: 60_000,
      signal: AbortSignal.any([signal, over.signal]),
    });
    await Promise.race([serving, ...(died ? [died] : [])]);
  } catch (cause) {
    signal.throwIfAborted();
    throw new McpError('ZOOKEEPER_START', `ZooKeeper does not start on port ${state.zookeeperPort}`, {
      cause,
      hint: `See whether something else uses that port, and ${daemonLog(paths, 'zookeeper')}.`,
    });
  } finally {
    over.abort();
  }
}

/** Rejects when the daemon has ended; what can't start is not waited for. Resolves when the signal aborts. */
async function untilGone(paths: StatePaths, name: string, signal: AbortSignal): Promise<void> {
  while (await findDaemon(paths, name)) {
    await systemClock.sleep(100, signal).catch(() => {});
    if (signal.aborted) return;
  }
  throw new McpError('DAEMON_ENDED', `${name} ended as soon as it was started`, { retryable: true });
}

function connect(paths: StatePaths, state: LocalState, signal: AbortSignal): Promise<RegistryClient> {
  return connectZooKeeper(registryOf(state), {
    sessionTimeoutMs: 10_000,
    ...ownerOptions(readSecret(paths.secret)),
    signal,
  });
}

/** Makes our part of the tree; true where nothing has been declared in it yet. */
async function prepareRegistry(
  paths: StatePaths,
  state: LocalState,
  progress: Progress,
  signal: AbortSignal,
): Promise<boolean> {
  progress.start('Prepare the registry');
  const client = await connect(paths, state, signal);
  try {
    await formatRegistry(client, systemClock, { clusterId: state.clusterId });
    const access = registryAccess(readSecret(paths.secret));
    if (access) await secureRegistry(client, access, { signal });
    return (await client.exists(nodes.desired)) === null;
  } finally {
    await client.close();
  }
}

async function load(paths: StatePaths, state: LocalState, file: string, progress: Progress): Promise<Environment> {
  progress.start(`Read ${file} and pack its artifacts`);
  return loadEnvironment(file, { artifacts: paths.artifacts, defaultImage: defaultImageOf(state) });
}

/** What is declared already; null where it can't be read, which is the controller's matter to say. */
async function declaredNow(paths: StatePaths, state: LocalState, signal: AbortSignal): Promise<Environment | null> {
  const client = await connect(paths, state, signal);
  try {
    return (await readDeclared(client, { signal })).record?.environment ?? null;
  } finally {
    await client.close();
  }
}

const documentsWithinMs = 15_000;
/** What a daemon that waits for a registry gets to end by itself, ms. */
const daemonGraceMs = 3_000;

/** Gives the gateway a moment to read every document; one that can't be read is no reason to fail (`mcp why` names it). */
async function waitForDocuments(
  client: RegistryClient,
  { gateways }: StatusView,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  progress.start('Merge the documents');
  const declared = (await readDesired(client, { signal }))?.record.environment.services ?? [];
  const wanted = declared
    .filter(({ document }) => document !== undefined)
    .flatMap((service) => runningVersions(service).map(({ version }) => `${service.name}@${version}`));
  const until = systemClock.monotonic() + documentsWithinMs;
  while (systemClock.monotonic() < until) {
    const words = (await askDocuments(gateways, signal)) ?? [];
    const fresh = new Set(words.filter(({ stale }) => !stale).map(({ service, version }) => `${service}@${version}`));
    const open = wanted.filter((name) => !fresh.has(name));
    if (open.length === 0 && (await allServe(gateways, words, signal))) return;
    progress.tell(open.join(', '));
    await systemClock.sleep(100, signal);
  }
}

async function allServe(gateways: StatusView['gateways'], words: SourceWord[], signal: AbortSignal): Promise<boolean> {
  const served = await Promise.all(gateways.map((gateway) => servesDocuments(gateway, words, signal)));
  return served.every(Boolean);
}
