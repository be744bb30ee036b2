/** What makes any tree of files a machine of ours: the agent, what it runs on, and who starts it. */
import type { ImageSpec } from '../../specs/nouns.ts';
import { guestFolders } from '../guest/inside.ts';
import { busyboxNames, guestFiles, guestHome } from './guest-root.ts';
import { agentModules, busybox, type Placed, type Planting } from './root-files.ts';

/** A distribution's own busybox, init or node, if it has them, stay as they are but for who starts first. */
const home = {
  busybox: `${guestHome}/bin/busybox`,
  node: `${guestHome}/bin/node`,
};

/** Errors: IMAGE_INPUT_MISSING. */
export async function agentPlanting(base: ImageSpec['base']): Promise<Planting> {
  const modules = await agentModules();
  if (base === 'minimal') return { folders: [], placed: modules, files: guestFiles, links: [] };
  const programs: Placed[] = [
    { from: busybox, to: home.busybox, mode: 'program' },
    { from: process.execPath, to: home.node, mode: 'program' },
  ];
  return {
    folders: [guestFolders.work.slice(1)],
    placed: [...modules, ...programs],
    files: [...guestFiles, { path: 'etc/resolv.conf', text: 'nameserver 10.0.2.3\n', program: false }],
    links: [
      ...busyboxNames.map((name) => [`${guestHome.slice(1)}/applets/${name}`, home.busybox] as const),
      ['usr/sbin/init', home.busybox],
      ['usr/local/bin/node', home.node],
    ],
  };
}
