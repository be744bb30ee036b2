/** QEMU's command line for a machine. Pure: the same options give the same machine, which a saved state depends on. */
import { guestAddress, hostService, identityPortName } from '../guest/inside.ts';

export const qemuProgram = 'qemu-system-x86_64';

/** Pinned: a newer QEMU's `q35` is another machine, and a saved state fits one only. */
export const machineType = 'pc-q35-7.2';

export type Accelerator = 'kvm' | 'tcg';

export interface MachineShape {
  /** Version of the QEMU that runs it: a saved state fits one only. */
  qemu: string;
  accelerator: Accelerator;
  memoryMb: number;
  cpus: number;
  /** Its own disk, gone with the machine; 0: none. */
  diskMb: number;
}

/** Equal words, equal machines. File-name-safe. */
export function shapeLabel({ qemu, accelerator, memoryMb, cpus, diskMb }: MachineShape): string {
  const disk = diskMb > 0 ? `-${diskMb}m` : '';
  return `${qemu.replace(/[^\w.]/g, '_')}-${machineType}-${accelerator}-${memoryMb}m-${cpus}${disk}`;
}

export interface GuestFiles {
  kernel: string;
  initramfs: string;
  /** Mounted read-only by every machine. */
  root: string;
  /** Where the image has a root that machines write to: each gets an overlay of it in place of `root`. Raw. */
  disk?: string;
}

/**
 * - `boot`: from the kernel, memory of its own.
 * - `template`: from the kernel, its memory in a file that clones will map.
 * - `clone`: waits to be told which state to load; memory mapped privately from the template's file.
 * - `successor`: as a clone, but what it does to its memory is in its file: it will be a template itself.
 */
export type Start = { kind: 'boot' } | { kind: 'template' | 'clone' | 'successor'; memoryFile: string };

/** Names inside the machine's folder, which is QEMU's working directory. */
export const vmFiles = {
  control: 'qmp.sock',
  /** A control socket of the host service's own: it never waits for ours. */
  ports: 'ports.sock',
  console: 'console.log',
  /** A named pipe: what is written into `<name>.in` stays there until the guest reads it, whoever ends meanwhile. */
  identity: 'identity',
  hostService: './host-service',
};

/** Its real-time clock in a template: whoever measures time by it sees that years went by when a clone gets the true time. */
const templateClock = '2020-01-01T00:00:00';
/**
 * TCG keeps what it translated, and forgets all of it where there is no room for more: a machine that has started a small
 * Node service has 130 MiB of it, and with 64 it was translated four times. Only what is used takes memory.
 */
const translationMb = 192;

/** @param overlays names of the machine's own disks (disks.ts) */
export function qemuArguments(
  shape: MachineShape,
  files: GuestFiles,
  start: Start,
  overlays: readonly string[],
): string[] {
  const backend = start.kind === 'boot' ? '' : ',memory-backend=m0';
  const network = [
    `user,id=n0,guestfwd=tcp:${hostService.address}:${hostService.port}-cmd:${vmFiles.hostService}`,
    `net=10.0.2.0/24,dhcpstart=${guestAddress}`,
  ].join(',');
  return [
    '-nodefaults',
    '-no-user-config',
    ...['-display', 'none'],
    ...['-M', `${machineType}${backend},usb=off,smbus=off,sata=off,vmport=off`],
    ...cpuArguments(shape.accelerator),
    ...['-smp', String(shape.cpus)],
    ...['-m', `${shape.memoryMb}M`],
    ...(start.kind === 'boot' ? [] : memoryArguments(shape, start.memoryFile, start.kind !== 'clone')),
    ...['-rtc', `base=${start.kind === 'boot' ? 'utc' : templateClock}`],
    ...(start.kind === 'clone' ? [] : kernelArguments(files)),
    // A panic ends QEMU, which is seen at once.
    '-no-reboot',
    ...['-chardev', `file,id=console,path=${vmFiles.console},append=on`, '-serial', 'chardev:console'],
    ...['-qmp', `unix:${vmFiles.control},server=on,wait=off`],
    ...['-qmp', `unix:${vmFiles.ports},server=on,wait=off`],
    ...(overlays.includes('root') ? overlayArguments('root') : rootArguments(files.root)),
    ...overlays.filter((name) => name !== 'root').flatMap(overlayArguments),
    ...['-netdev', network, '-device', 'virtio-net-pci,netdev=n0,romfile='],
    ...['-device', 'virtio-serial-pci', '-chardev', `pipe,id=identity,path=${vmFiles.identity}`],
    ...['-device', `virtserialport,chardev=identity,nr=1,name=${identityPortName}`],
    ...(start.kind === 'clone' || start.kind === 'successor' ? ['-incoming', 'defer'] : []),
  ];
}

/** In the machine's folder: an overlay of what its disk starts from. */
export function overlayFile(name: string): string {
  return `${name}.qcow2`;
}

/** A clone has its kernel in the template's memory and, without a reboot, never asks for another one: it would only be held in vain. */
function kernelArguments({ kernel, initramfs }: GuestFiles): string[] {
  return ['-kernel', kernel, '-initrd', initramfs, '-append', 'console=ttyS0 quiet panic=-1 no_timer_check ro'];
}

function rootArguments(file: string): string[] {
  return [
    ...['-drive', `if=none,id=root,format=raw,readonly=on,file=${optionValue(file)}`],
    ...['-device', 'virtio-blk-pci,drive=root'],
  ];
}

/**
 * Nothing on it outlives the machine, so nobody waits for the host's disk; where that is full the guest gets the error: the
 * machine must go on, be found unhealthy and be replaced, not stand still.
 */
function overlayArguments(name: string): string[] {
  const drive = `if=none,id=${name},format=qcow2,cache=unsafe,discard=unmap,werror=report,rerror=report`;
  return ['-drive', `${drive},file=${overlayFile(name)}`, '-device', `virtio-blk-pci,drive=${name}`];
}

export function cpuArguments(accelerator: Accelerator): string[] {
  return accelerator === 'kvm'
    ? ['-accel', 'kvm', '-cpu', 'host']
    : ['-accel', `tcg,tb-size=${translationMb}`, '-cpu', 'qemu64,+rdrand'];
}

function memoryArguments({ memoryMb }: MachineShape, file: string, shared: boolean): string[] {
  const share = shared ? 'on' : 'off';
  return ['-object', `memory-backend-file,id=m0,size=${memoryMb}M,mem-path=${optionValue(file)},share=${share}`];
}

/** A comma ends an option's value unless it is doubled. */
function optionValue(text: string): string {
  return text.replaceAll(',', ',,');
}
