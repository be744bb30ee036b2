/** The initramfs: loads what is needed to see the disk and the host, and hands over to the image's own root. Pure. */
import { cpioArchive, cpioCharacterDevice, cpioFile, cpioFolder, cpioProgram } from './cpio.ts';

/**
 * - `read`: the root is as it was baked.
 * - `overlay`: what the machine writes into it is kept in its memory.
 */
export type RootUse = 'read' | 'overlay';

const alwaysNeeded = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'net/core/failover.ko',
  'drivers/net/net_failover.ko',
  'drivers/net/virtio_net.ko',
  'drivers/block/virtio_blk.ko',
  'drivers/char/virtio_console.ko',
];

/** Kernel modules by their path below `kernel/`, in an order in which each finds what it needs. */
export function modulePaths(use: RootUse): string[] {
  return use === 'overlay' ? [...alwaysNeeded, 'fs/overlayfs/overlay.ko'] : alwaysNeeded;
}

const mounts: Record<RootUse, string> = {
  read: '/bin/busybox mount -t ext4 -o ro,noatime /dev/vda /root || exit 3',
  overlay: `/bin/busybox mount -t ext4 -o ro,noatime /dev/vda /baked || exit 3
/bin/busybox mount -t tmpfs -o mode=0755 written /written
/bin/busybox mkdir /written/upper /written/work
/bin/busybox mount -t overlay -o lowerdir=/baked,upperdir=/written/upper,workdir=/written/work root /root || exit 4`,
};

/** `/init`. A failure ends the machine (`panic=-1`): a half-booted one would only be waited for. */
export function firstInit(use: RootUse): string {
  const modules = modulePaths(use).map((path) => moduleName(path));
  return `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in ${modules.join(' ')}; do
  /bin/busybox insmod /modules/$module || exit 1
done
tries=0
until [ -b /dev/vda ]; do
  tries=$((tries + 1))
  [ $tries -gt 200 ] && exit 2
  /bin/busybox usleep 10000
done
${mounts[use]}
/bin/busybox mount --move /dev /root/dev
/bin/busybox mount --move /proc /root/proc
exec /bin/busybox switch_root /root /sbin/init
`;
}

/** @param modules contents in the order of `modulePaths` */
export function firstRoot(use: RootUse, busybox: Uint8Array, modules: readonly Uint8Array[]): Buffer {
  const folders = ['baked', 'bin', 'dev', 'modules', 'proc', 'root', 'written'].map((name) => ({
    name,
    mode: cpioFolder,
  }));
  return cpioArchive([
    ...folders,
    { name: 'dev/console', mode: cpioCharacterDevice, device: [5, 1] },
    { name: 'bin/busybox', mode: cpioProgram, content: busybox },
    { name: 'init', mode: cpioProgram, content: Buffer.from(firstInit(use)) },
    ...modulePaths(use).map((path, at) => ({
      name: `modules/${moduleName(path)}`,
      mode: cpioFile,
      content: modules[at] ?? new Uint8Array(),
    })),
  ]);
}

function moduleName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
