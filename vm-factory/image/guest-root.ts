/** The small files of a minimal image's root: who starts what. */
import { guestAddress, guestFolders, hostGateway } from '../guest/inside.ts';

/** Where this repository's part of the image lies. */
export const guestHome = '/opt/mcp';

/** busybox's init runs `rc` once and starts the agent again whenever it ends (fault 42). */
const inittab = `::sysinit:/etc/rc
::respawn:/etc/agent
`;

const rc = `#!/bin/sh
export PATH=${guestHome}/applets:$PATH
mount -t sysfs sys /sys
mount -t tmpfs -o mode=0755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
if [ -b /dev/vdb ]; then mount -t ext4 -o noatime /dev/vdb ${guestFolders.work}
else mount -t tmpfs -o mode=0755,size=40% work ${guestFolders.work}; fi
mkdir -p ${guestFolders.identity}
ifconfig lo 127.0.0.1 up
ifconfig eth0 ${guestAddress} netmask 255.255.255.0 up
route add default gw ${hostGateway}
hostname mcp
`;

// An agent's code runs a few times and then waits: compiling it costs more than it gives, most of all under emulation.
const agent = `#!/bin/sh
export PATH=/usr/local/bin:/usr/bin:/bin:/sbin LANG=C.UTF-8 PERL_BADLANG=0 HOME=/root
exec node --no-opt --no-maglev --no-sparkplug --single-threaded-gc ${guestHome}/vm-factory/guest/main.js
`;

export interface RootFile {
  path: string;
  text: string;
  program: boolean;
}

/** What every image has, whatever its base. */
export const guestFiles: RootFile[] = [
  { path: 'etc/inittab', text: inittab, program: false },
  { path: 'etc/rc', text: rc, program: true },
  { path: 'etc/agent', text: agent, program: true },
  { path: 'etc/hosts', text: '127.0.0.1 localhost mcp\n', program: false },
  { path: `${guestHome.slice(1)}/package.json`, text: '{"type":"module"}\n', program: false },
];

/** What a base without a distribution must bring itself. */
export const minimalFiles: RootFile[] = [
  { path: 'etc/passwd', text: 'root:x:0:0:root:/root:/bin/sh\n', program: false },
  { path: 'etc/group', text: 'root:x:0:\n', program: false },
];

/** Mount points and other folders that are empty in the image. */
export const rootFolders = ['dev', 'proc', 'root', 'run', 'sys', 'tmp', guestFolders.work.slice(1)];

/** Commands that busybox answers to in the image. */
export const busyboxNames = [
  ...[
    'sh',
    'ash',
    'cat',
    'cp',
    'mv',
    'rm',
    'ls',
    'ln',
    'mkdir',
    'mount',
    'umount',
    'sleep',
    'env',
    'echo',
    'kill',
    'ps',
  ],
  ...['grep', 'sed', 'awk', 'head', 'tail', 'cut', 'sort', 'wc', 'date', 'hostname', 'id', 'chmod', 'chown', 'touch'],
  ...[
    'ifconfig',
    'route',
    'ip',
    'wget',
    'nc',
    'dd',
    'df',
    'free',
    'top',
    'dmesg',
    'tar',
    'gzip',
    'sha256sum',
    'true',
    'false',
  ],
];
