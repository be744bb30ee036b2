/** The ledger as the gateway reads it: what each machine may register. */
import { paths } from '../registrar/layout.ts';
import type { Membership, MembershipNode } from '../registrar/recipes/membership-state.ts';
import type { MachineRecord } from '../registrar/records.ts';
import { codecs, decode } from '../registrar/store/codecs.ts';

/** A node object stands for one version of one znode, so each is decoded once. */
const decoded = new WeakMap<MembershipNode, MachineRecord | 'invalid'>();

/** The ledger's record of a machine; undefined where it has none, or one that can't be read: nothing contradicts it then. */
export function machineIn(ledger: Membership, uuid: string): MachineRecord | undefined {
  const path = paths.machine(uuid);
  const node = ledger.nodes.get(path);
  if (node === undefined) return undefined;
  const known = decoded.get(node) ?? decodeOr(path, node);
  decoded.set(node, known);
  return known === 'invalid' ? undefined : known;
}

function decodeOr(path: string, { data }: MembershipNode): MachineRecord | 'invalid' {
  try {
    return decode(codecs.machine, path, data);
  } catch {
    return 'invalid';
  }
}
