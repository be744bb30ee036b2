/**
 * What the dialects of other software have in common: a service is a node, its instances are the node's children. Each dialect
 * is read as its own readers read it, but no value is believed that does not fit an allow-list, and nothing else gets through:
 * labels, metadata and raw proxy options are left behind. Pure, and never throws.
 */
import type { Stat } from '../registry-client.ts';

/** A child of a service's node. */
export interface ForeignNode {
  name: string;
  data: Uint8Array;
  stat: Stat;
}

/** An instance as its own software registered it. */
export interface ForeignInstance {
  /** Name of its node. */
  node: string;
  /** For people; of letters, digits, `.`, `_` and `-`. */
  label: string;
  /** An IP address. */
  address: string;
  port: number;
  /** Why it must get no new request, in words of its dialect, e.g. `status STOPPING`; empty where it may. */
  says: string;
  /** Share of its version's traffic, relative to the version's other instances; above 0. */
  weight: number;
}

/** What one node is: an instance, or left out for a reason. */
export type ForeignJudgement = ForeignInstance | { refused: string };

export interface ForeignOptions {
  /** See parseRegistration. */
  allowLoopback: boolean;
  /** The last part of the service's path: what some dialects call the service. */
  serviceName: string;
  /** serverset: the additional endpoint to use. */
  endpoint?: string;
}

/** Bytes that a registration may have; a Nerve path-encoded name alone may be as long. */
export const maxForeignBytes = 65_536;

/** As an instance's label: what is not plainly harmless is shown as `_`. */
export function labelOf(text: string): string {
  return text.replace(/[^0-9A-Za-z._-]/g, '_').slice(0, 64) || '_';
}

/** Reason for a node that its registrant's end would not take away; null for an ephemeral one. */
export function persistenceProblem(stat: Stat): string | null {
  return stat.ephemeralOwner === null ? 'the node is persistent: it would outlive its instance' : null;
}

/** Weights are ratios: beyond these they are mistakes. */
export const maxWeight = 1000;

/** A word from a registration that may be shown to people; empty where it is not plainly one. */
export function plainWord(text: unknown): string {
  return typeof text === 'string' && /^[A-Za-z][A-Za-z0-9_-]{0,39}$/.test(text) ? text : '';
}
