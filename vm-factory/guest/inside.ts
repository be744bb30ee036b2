/** What host and guest agree on about the inside of a machine. */

import type { MachineAccess } from '../../registrar/access.ts';
import type { WarmOrder } from '../../registrar/agent/warm-service.ts';

/** The guest's own address in QEMU's user network, the same in every machine: that network is private to each. */
export const guestAddress = '10.0.2.15';
/** The host, as the guest sees it: its 127.0.0.1. */
export const hostGateway = '10.0.2.2';
/** Where the guest finds its machine's host service (host-service.ts). */
export const hostService = { address: '10.0.2.100', port: 80 };

/** For the agent's requests. */
export const hostUrl = `http://${hostService.address}:${hostService.port}`;

export const guestFolders = {
  /** In memory: who this machine is, once it knows. */
  identity: '/run/mcp',
  /** The agent's and its service's own. */
  work: '/var/lib/mcp',
};

/** Name of the virtio-serial port that brings the machine its identity. */
export const identityPortName = 'mcp.identity';

/** What the agent prints on the console when it has no identity and nothing left to do but wait for one. */
export const waitingWord = 'mcp: waiting for an identity';

/** Then, and why, where a service could not be started before the machine waits for an identity. */
export const notWarmWord = 'mcp: not warmed up: ';

/** One line of JSON, written into the identity port of what shall be a service's template, before any grant. */
export interface WarmLine {
  warm: WarmOrder;
}

/** One line of JSON, written once into the identity port. Everything in it is this machine's alone. */
export interface Grant {
  uuid: string;
  /** Where the world reaches the machine. */
  address: string;
  clusterId: string;
  /** Connect string as seen from the guest. */
  registry: string;
  sessionTimeoutMs?: number;
  /** The agent's rights in the registry. */
  access?: MachineAccess;
  /** One-use: buys the pass for the host service, within the time that the host gives. */
  token: string;
  /** 64 random bytes, hex, for the guest's random generator. */
  seed: string;
  /** ms since the Unix epoch, at the moment of writing. */
  now: number;
}

/** A grant is read within this time, ms, or its token is void. */
const longestWaitMs = 10 * 60_000;

/**
 * What a guest's clock shall say, ms since the Unix epoch. A machine that was booted for its identity has the time from its host's
 * clock, which went on since the grant was written; a clone's clock stood still. One that is behind, or ahead by more than that
 * wait explains, is wrong: its host's clock was set since. Pure.
 */
export function timeAtGrant(guestNow: number, grantNow: number): number {
  return guestNow >= grantNow && guestNow - grantNow <= longestWaitMs ? guestNow : grantNow;
}
