/** Which accelerator works on this host, found out by running a machine: a /dev/kvm that is there may still be of no use. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { McpError } from '../../specs/errors.ts';
import { type Accelerator, cpuArguments, machineType, qemuProgram } from './command-line.ts';

export interface QemuFacts {
  /** e.g. `7.2.22` */
  version: string;
  accelerator: Accelerator;
  /** Why it is not KVM; empty where it is. */
  why: string;
}

/** A real machine under KVM has ended by then, ms. */
const trialMs = 5_000;
/** `mov al,1; out 0xf4,al; hlt`: tells the exit device to end QEMU with 2*1+1. */
const bootSector = [0xb0, 0x01, 0xe6, 0xf4, 0xf4];
const trialExitCode = 3;

/** Errors: QEMU_MISSING. */
export async function qemuFacts(): Promise<QemuFacts> {
  const { stdout } = await promisify(execFile)(qemuProgram, ['--version']).catch((cause: unknown) => {
    throw new McpError('QEMU_MISSING', `${qemuProgram} can't be run`, {
      cause,
      hint: "Install Debian's qemu-system-x86, or use the process provider.",
    });
  });
  const version = /version (\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? stdout.slice(0, 40);
  const why = await whyNotKvm();
  return { version, accelerator: why === '' ? 'kvm' : 'tcg', why };
}

async function whyNotKvm(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'mcp-kvm-'));
  try {
    const disk = join(dir, 'disk');
    const sector = Buffer.alloc(512);
    sector.set(bootSector);
    sector.writeUInt16LE(0xaa55, 510);
    await writeFile(disk, sector);
    const machine = ['-nodefaults', '-no-user-config', '-display', 'none', '-M', machineType, '-m', '16M'];
    const devices = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=1', '-drive', `format=raw,file=${disk}`];
    return await new Promise((resolve) => {
      const options = { timeout: trialMs, killSignal: 'SIGKILL' } as const;
      execFile(qemuProgram, [...machine, ...cpuArguments('kvm'), ...devices], options, (error, _, stderr) => {
        if (error?.code === trialExitCode) resolve('');
        else if (error?.killed) resolve(`a machine under KVM did nothing for ${trialMs} ms`);
        else resolve(kvmTrouble(stderr, error?.signal ?? error?.code ?? 0));
      });
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Why a machine under KVM did not come to its end, for people, from what QEMU said and how it ended. Pure. */
export function kvmTrouble(said: string, ended: string | number): string {
  if (/kvm.*no such file/is.test(said)) return 'there is no /dev/kvm';
  if (/kvm.*permission denied/is.test(said)) return 'this user may not use /dev/kvm';
  // As on hosts that are virtual machines themselves, of which some give KVM and not all that it needs.
  if (/assertion/i.test(said) || ended === 'SIGABRT') return 'QEMU gives up with it';
  return `QEMU ends with ${ended}`;
}
