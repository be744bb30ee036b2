import type { Stat } from '../../registrar/registry-client.ts';

/** What the registry tells of an ephemeral node, unless told otherwise. */
export function nodeStat(over: Partial<Stat> = {}): Stat {
  const zxids = { czxid: 1, mzxid: 1, pzxid: 1 };
  const versions = { version: 0, cversion: 0, aversion: 0 };
  return { ...zxids, ...versions, ctime: 0, mtime: 0, ephemeralOwner: '0x1', dataLength: 0, numChildren: 0, ...over };
}
