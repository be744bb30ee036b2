/** One QEMU process in a folder of its own: started, restored, continued, ended. It outlives whoever started it. */
import type { ChildProcess } from 'node:child_process';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../registrar/clock.ts';
import { isSameProcess, killGroup, type ProcessIdentity } from '../../registrar/process-identity.ts';
import { McpError } from '../../specs/errors.ts';
import { readIfThere, readWord } from '../process/files.ts';
import { launch } from '../process/launch.ts';
import { parseIdentity } from '../process/machine-store.ts';
import { unavailable } from '../provider-errors.ts';
import { type GuestFiles, type MachineShape, qemuArguments, qemuProgram, type Start, vmFiles } from './command-line.ts';
import { makeOverlays, type Overlay } from './disks.ts';
import { isSilent, QmpClient, withQmp } from './qmp-client.ts';

const hostServiceModule = fileURLToPath(new URL('host-service.ts', import.meta.url));
/** Names in a machine's environment the folder of the provider that it belongs to. */
export const ownerMark = 'MCP_VIRTUAL_MACHINE_OF';
const identityFile = 'process';
/** A killed QEMU gives its memory back before it is gone; that takes a moment, ms. */
const dyingMs = 10_000;
/** From the loss of its connection to the end of its process, ms. */
const dyingSignMs = 100;

export interface StartVm {
  /** There, and empty. */
  folder: string;
  files: GuestFiles;
  shape: MachineShape;
  start: Start;
  /** Made in the folder. */
  overlays: readonly Overlay[];
  /** Of the process, and of whatever it starts. */
  env?: Record<string, string>;
  /** Nobody waits for it: others get the processor first. */
  inBackground?: boolean;
}

export interface StartedVm {
  identity: ProcessIdentity;
  child: ChildProcess;
}

/** Resolves as soon as QEMU's process is known. Errors: PROVIDER_UNAVAILABLE. */
export async function startVm({
  folder,
  files,
  shape,
  start,
  overlays,
  env = {},
  inBackground,
}: StartVm): Promise<StartedVm> {
  await writeFile(join(folder, vmFiles.hostService), hostServiceScript(env[ownerMark]), { mode: 0o755 });
  await makeOverlays(folder, overlays);
  const disks = overlays.map(({ name }) => name);
  const pipes = `${vmFiles.identity}.in ${vmFiles.identity}.out`;
  const child = await launch({
    folder,
    identityPath: join(folder, identityFile),
    command: [
      '/bin/sh',
      '-c',
      `mkfifo -m 600 ${pipes} && exec "$@"`,
      'vm',
      ...(inBackground ? ['nice', '-n', '10'] : []),
      qemuProgram,
      ...qemuArguments(shape, files, start, disks),
    ],
    env,
  });
  const identity = await vmIdentity(folder);
  if (!identity) throw unavailable(`no virtual machine could be started in ${folder}`);
  return { identity, child };
}

/** It is started for each of the guest's few questions: most of its time goes into compiling, which is kept in the owner's folder. */
function hostServiceScript(owner: string | undefined): string {
  const compiled = owner === undefined ? '' : `export NODE_COMPILE_CACHE=${quoted(join(owner, 'compiled'))}\n`;
  const words = [process.execPath, '--no-warnings', hostServiceModule].map(quoted);
  return `#!/bin/sh\nunset ${ownerMark}\n${compiled}exec ${words.join(' ')}\n`;
}

/** Which process runs by this folder; null where none ever did. */
export async function vmIdentity(folder: string): Promise<ProcessIdentity | null> {
  const identity = parseIdentity(await readWord(join(folder, identityFile)));
  return identity === 'nobody' ? null : identity;
}

/** Short enough for a socket's path wherever the folder is, or was moved to, and never another process's. */
function controlPath({ pid }: ProcessIdentity): string {
  return `/proc/${pid}/cwd/${vmFiles.control}`;
}

/** As soon as QEMU listens. Errors: PROVIDER_UNAVAILABLE (it ended), QMP_UNREACHABLE. */
async function reach(vm: ProcessIdentity, clock: Clock): Promise<QmpClient> {
  const deadline = clock.monotonic() + 10_000;
  for (;;) {
    try {
      return await QmpClient.connect(controlPath(vm));
    } catch (error) {
      if (!isSameProcess(vm)) throw unavailable('the virtual machine ended as it started', { cause: error });
      if (isSilent(error) || clock.monotonic() > deadline) throw error;
      await clock.sleep(5);
    }
  }
}

/**
 * Loads a template's state into a clone, which is then paused. `qemu` is the version that saved it.
 * Errors: PROVIDER_UNAVAILABLE, QEMU_CHANGED, TEMPLATE_DAMAGED, QMP_REFUSED, QMP_UNREACHABLE.
 */
export async function restoreVm(vm: ProcessIdentity, stateFile: string, qemu: string, clock: Clock): Promise<void> {
  const qmp = await reach(vm, clock);
  try {
    requireVersion(qmp, qemu);
    await shareMemory(qmp);
    await qmp.execute('migrate-incoming', { uri: `exec:cat ${quoted(stateFile)}` });
    await settled(qmp, 'query-status', ['paused'], ['inmigrate'], clock);
  } catch (cause) {
    // QEMU ends where it can't make sense of a state; one that is merely slow lives on.
    await clock.sleep(dyingSignMs);
    if (isSameProcess(vm)) throw cause;
    throw new McpError(
      'TEMPLATE_DAMAGED',
      `a template can't be restored: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
        retryable: true,
        hint: 'Nothing: machines boot until it is made anew.',
      },
    );
  } finally {
    qmp.close();
  }
}

/** Writes a running template's state, its memory file apart, and ends it. Errors: as `restoreVm`. */
export async function saveVm(vm: ProcessIdentity, stateFile: string, clock: Clock): Promise<void> {
  await withQmp(controlPath(vm), async (qmp) => {
    await qmp.execute('stop');
    await shareMemory(qmp);
    await qmp.execute('migrate', { uri: `exec:cat > ${quoted(stateFile)}` });
    await settled(qmp, 'query-migrate', ['completed'], ['none', 'setup', 'active', 'device'], clock);
    await qmp.execute('quit');
  });
  await untilGone(vm, clock);
}

/** Before anything is saved by it. Errors: QEMU_CHANGED, PROVIDER_UNAVAILABLE, QMP_UNREACHABLE. */
export async function requireQemu(vm: ProcessIdentity, expected: string, clock: Clock): Promise<void> {
  const qmp = await reach(vm, clock);
  qmp.close();
  requireVersion(qmp, expected);
}

/** A state fits the QEMU that saved it. Errors: QEMU_CHANGED, whose details tell the version that runs. */
function requireVersion({ version }: QmpClient, expected: string): void {
  if (version === expected) return;
  throw new McpError('QEMU_CHANGED', `QEMU is ${version} now, it was ${expected}`, {
    retryable: true,
    hint: 'Nothing: templates are made anew for it.',
    details: { version },
  });
}

/**
 * Tells a machine who it is and lets it run; the guest reads it when it gets to it, whoever ends meanwhile.
 * Errors: as `restoreVm`.
 */
export async function personify(vm: ProcessIdentity, folder: string, line: string, clock: Clock): Promise<void> {
  // QEMU answers, so it holds the pipe open: what is written before would be lost.
  const qmp = await reach(vm, clock);
  try {
    await writeToPipe(join(folder, `${vmFiles.identity}.in`), `${line}\n`);
    await qmp.execute('cont');
  } finally {
    qmp.close();
  }
}

/** Memory is in the template's file: it is neither written into the state nor read from it. */
async function shareMemory(qmp: QmpClient): Promise<void> {
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
}

async function settled(qmp: QmpClient, query: string, good: string[], pending: string[], clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + 30_000;
  for (;;) {
    const { status = 'none' } = Object(await qmp.execute(query)) as { status?: string };
    if (good.includes(status)) return;
    if (!pending.includes(status) || clock.monotonic() > deadline) throw unavailable(`${query} says ${status}`);
    await clock.sleep(5);
  }
}

async function writeToPipe(path: string, text: string): Promise<void> {
  // Opened for both, a pipe never makes us wait for a reader.
  const pipe = await open(path, 'r+');
  try {
    await pipe.write(text);
  } finally {
    await pipe.close();
  }
}

/** Resolves when the console shows the words. Errors: PROVIDER_UNAVAILABLE (it ended, took too long, or showed `unless`). */
export async function untilConsoleSays(
  { folder, identity }: { folder: string; identity: ProcessIdentity },
  words: string,
  { timeoutMs, clock, signal, unless }: { timeoutMs: number; clock: Clock; signal?: AbortSignal; unless?: string },
): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs;
  const path = join(folder, vmFiles.console);
  for (;;) {
    const said = (await readIfThere(path)) ?? '';
    if (said.includes(words)) return;
    const [, refusal] = unless === undefined ? [] : said.split(unless);
    // A whole line: the rest may be on its way.
    if (refusal?.includes('\n')) throw unavailable(refusal.split('\n')[0]?.trim() ?? '');
    const ended = !isSameProcess(identity);
    if (ended || clock.monotonic() > deadline) {
      const tail = ((await readFile(path, 'utf8').catch(() => '')) ?? '').trim().slice(-1_000);
      throw unavailable(
        `the virtual machine ${ended ? 'ended' : `was not ready after ${timeoutMs} ms`}; its console: ${tail}`,
      );
    }
    await clock.sleep(20, signal);
  }
}

/** Idempotent. Errors: PROVIDER_UNAVAILABLE where it does not die. */
export async function endVm(vm: ProcessIdentity, clock: Clock): Promise<void> {
  killGroup(vm, 'SIGKILL');
  await untilGone(vm, clock);
}

async function untilGone(vm: ProcessIdentity, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + dyingMs;
  while (isSameProcess(vm)) {
    if (clock.monotonic() > deadline) throw unavailable(`process ${vm.pid} does not end`);
    await clock.sleep(5);
  }
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
