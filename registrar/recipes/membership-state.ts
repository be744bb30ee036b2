/**
 * What a membership cache knows, as a value, and how a batch of reads changes it; pure. The argument for `asOf`:
 *
 * ZooKeeper sends a session its watch events and replies in one order: the event of a change with zxid c comes before every
 * reply whose zxid is >= c. The cache watches the whole subtree, notes each event's path as dirty, and reads in batches: a
 * batch takes the dirty paths of that moment, reads each, and reads the root once more; Z is the zxid of that reply.
 *
 * Claim 1. If nothing is dirty when the batch has ended, all changes up to Z are reflected. For a change c <= Z in the subtree,
 * its event came before the root's reply. Either before the batch began: then its path was dirty, and was read in this batch
 * or an earlier one, after the event, so the read showed c or something later. Or during the batch: then its path is dirty at
 * the end, against the premise.
 * Claim 2. In any case all changes up to Y are reflected, Y being the Z of the batch before: their events came before that
 * batch's end, thus before this batch began, and this batch read what they made dirty. So under a steady stream of changes
 * asOf still follows, one batch behind; and after a change with zxid c has been read, the next batch at the latest says >= c.
 * Claim 3. A full read starts by reading the root, with the reply's zxid Z, and then reads everything: each read is made after
 * that reply, so it shows everything up to Z, whatever events were lost before.
 *
 * A batch may be joined by what becomes dirty while it runs: those paths are read after their events, and the root once more with
 * each of them. Z is then the zxid of the root's last reply; a path that became dirty before it was asked for has been read after its
 * event, or is dirty at the end: both claims hold as before.
 *
 * All this needs an unbroken watch: while the connection is gone, and until the client has said `resync`, nothing is concluded
 * (see membership-cache.ts), and then a full read follows.
 */
import type { Stat, Zxid } from '../registry-client.ts';
import { SortedMap } from './sorted-map.ts';

export interface MembershipNode {
  data: Buffer;
  stat: Stat;
}

/** A complete subtree at a moment. */
export interface Membership {
  /** Everything committed up to this zxid is reflected. */
  asOf: Zxid;
  /** By absolute path, in their order, root included. The same map as long as no node changed. */
  nodes: SortedMap<MembershipNode>;
  /** Paths that exist but that the registry refused to show us: one bad node must not hide the others. */
  unreadable: ReadonlySet<string>;
}

/** What was found at a path: a node, nothing, or something that may not be read. */
export type Finding = MembershipNode | 'absent' | 'unreadable';

/** A membership, and what the next batch may conclude from it. */
export interface MembershipState {
  value: Membership;
  /** Zxid of the last batch's reply for the root: what claim 2 calls Y. */
  replied: Zxid;
  /** Paths at which something else was found than before; null: anything may have changed. */
  changed: ReadonlySet<string> | null;
}

/** The state after a full read (claim 3). `asOf` never goes back. */
export function afterFullRead(
  before: MembershipState | null,
  found: ReadonlyMap<string, Finding>,
  openedAt: Zxid,
): MembershipState {
  const nodes = new Map<string, MembershipNode>();
  const unreadable = new Set<string>();
  for (const [path, finding] of found) {
    if (finding === 'unreadable') unreadable.add(path);
    else if (finding !== 'absent') nodes.set(path, finding);
  }
  const old = before?.value;
  const value = {
    asOf: Math.max(old?.asOf ?? 0, openedAt),
    nodes: old && sameNodes(old.nodes, nodes) ? old.nodes : SortedMap.of(nodes),
    unreadable: old && sameSet(old.unreadable, unreadable) ? old.unreadable : unreadable,
  };
  return { value, replied: openedAt, changed: null };
}

/** The state after a batch of reads whose reply for the root had zxid `replied` (claims 1 and 2). */
export function afterBatch(
  before: MembershipState,
  found: ReadonlyMap<string, Finding>,
  replied: Zxid,
  dirtyLeft: boolean,
): MembershipState {
  const { asOf, nodes: oldNodes, unreadable: oldUnreadable } = before.value;
  const different = [...found].filter(([path, finding]) => !sameFinding(findingAt(before.value, path), finding));
  const changed = new Set(different.map(([path]) => path));
  let nodes = oldNodes;
  let unreadable = oldUnreadable;
  if (changed.size > 0) {
    for (const [path, finding] of found) {
      if (finding === 'absent') nodes = nodes.withoutAll(`${path}/`);
      nodes = typeof finding === 'string' ? nodes.without(path) : nodes.with(path, finding);
    }
    unreadable = unreadableAfter(oldUnreadable, found);
  }
  const concluded = dirtyLeft ? before.replied : replied;
  return { value: { asOf: Math.max(asOf, concluded), nodes, unreadable }, replied, changed };
}

/** How far below `root` a path is: 0 for the root itself, null for a path outside. */
export function depthBelow(root: string, path: string): number | null {
  if (path === root) return 0;
  const prefix = root === '/' ? '/' : `${root}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length).split('/').length : null;
}

export function findingAt(value: Membership, path: string): Finding {
  return value.nodes.get(path) ?? (value.unreadable.has(path) ? 'unreadable' : 'absent');
}

/** The same set where it has the same members. */
function unreadableAfter(before: ReadonlySet<string>, found: ReadonlyMap<string, Finding>): ReadonlySet<string> {
  const after = new Set(before);
  for (const [path, finding] of found) {
    after.delete(path);
    if (finding === 'unreadable') after.add(path);
    if (finding === 'absent') for (const known of after) if (known.startsWith(`${path}/`)) after.delete(known);
  }
  return sameSet(before, after) ? before : after;
}

/** A node's incarnation and data are told by two zxids. */
export function sameFinding(a: Finding, b: Finding): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.stat.czxid === b.stat.czxid && a.stat.mzxid === b.stat.mzxid;
}

function sameNodes(a: ReadonlyMap<string, MembershipNode>, b: ReadonlyMap<string, MembershipNode>): boolean {
  return a.size === b.size && [...b].every(([path, node]) => sameFinding(a.get(path) ?? 'absent', node));
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...b].every((path) => a.has(path));
}
