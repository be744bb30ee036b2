import type { Membership } from '../../registrar/recipes/membership-state.ts';

/** A subtree at a moment: the zxid of the last change of each node. */
export interface Moment {
  zxid: number;
  tree: ReadonlyMap<string, number>;
}

/**
 * Whether a membership keeps its word, given all of the subtree's past (oldest first; the first is the state it started from):
 * what changed after `asOf` may or may not be there; all else must be as it was at `asOf`.
 */
export function keepsItsWord(past: readonly Moment[], value: Membership): boolean {
  const at = past.findLast((moment) => moment.zxid <= value.asOf)?.tree ?? new Map<string, number>();
  const changedLater = new Set<string>();
  for (const moment of past) {
    if (moment.zxid <= value.asOf) continue;
    for (const [path, mzxid] of moment.tree) if (mzxid > value.asOf) changedLater.add(path);
    for (const path of at.keys()) if (!moment.tree.has(path)) changedLater.add(path);
  }
  const paths = new Set([...at.keys(), ...value.nodes.keys()]);
  return [...paths].every((path) => changedLater.has(path) || value.nodes.get(path)?.stat.mzxid === at.get(path));
}
