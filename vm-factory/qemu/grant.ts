/** The identity that a machine is given: one part for the guest, one for its host service, made of the same secrets. Pure. */
import { z } from 'zod';
import type { Grant } from '../guest/inside.ts';
import { hostGateway } from '../guest/inside.ts';
import { refused } from '../provider-errors.ts';

/** In a virtual machine's folder. */
export const hostFiles = {
  grant: 'grant.json',
  /** A word: once the guest was sent its part. Twice would do no harm, but what nobody reads stays in the pipe, which is short. */
  told: 'told',
  /** A word (files.ts): the pass that the token bought. */
  pass: 'pass',
  /** Before there is a grant: what a guest may fetch that is warmed up. */
  offer: 'offer.json',
};

const hostGrant = z.object({
  uuid: z.string(),
  address: z.string(),
  token: z.string(),
  /** On the host's monotonic clock (system-clock.ts), ms: a wall clock that is set anew voids no token. Unused by then, it is void. */
  expiresAt: z.number(),
  /** When it was given, on the same clock. */
  grantedAt: z.number(),
  /** Folder of files named by their sha256, or null. */
  artifacts: z.string().nullable(),
});

export type HostGrant = z.infer<typeof hostGrant>;

const offer = z.object({
  /** Folder of files named by their sha256, or null. */
  artifacts: z.string().nullable(),
  /** The one that is offered; null: none. */
  sha256: z.string().nullable(),
});

export type Offer = z.infer<typeof offer>;

/** Throws where it is damaged. */
export function parseOffer(text: string): Offer {
  return offer.parse(JSON.parse(text));
}

/** Throws where it is damaged. */
export function parseHostGrant(text: string): HostGrant {
  return hostGrant.parse(JSON.parse(text));
}

/** A token is for the minutes between a machine's making and its joining. */
const tokenMs = 10 * 60_000;

/** The guest's part. */
export function guestGrant(
  host: HostGrant,
  facts: Pick<Grant, 'clusterId' | 'registry' | 'sessionTimeoutMs' | 'access'>,
  fresh: { seed: string; now: number },
): Grant {
  const { uuid, address, token } = host;
  return { uuid, address, token, ...facts, registry: seenFromGuest(facts.registry), ...fresh };
}

/** @param grantedAt ms of the host's monotonic clock, as is the result */
export function tokenExpiry(grantedAt: number): number {
  return grantedAt + tokenMs;
}

/**
 * A connect string as the guest must write it: the host's own loopback has another address there.
 * Errors: PROVIDER_REFUSED (a loopback address that a guest can't reach).
 */
export function seenFromGuest(registry: string): string {
  const slash = registry.indexOf('/');
  const [list, chroot] = slash === -1 ? [registry, ''] : [registry.slice(0, slash), registry.slice(slash)];
  const servers = list.split(',').map((server) => {
    const [host = '', ...port] = server.trim().split(':');
    if (host === '127.0.0.1' || host === 'localhost') return [hostGateway, ...port].join(':');
    if (/^127\.\d+\.\d+\.\d+$/.test(host))
      throw refused(`a virtual machine can't reach a registry at ${host}`, {
        hint: 'Let the registry listen at 127.0.0.1 or at an address of the network.',
      });
    return server.trim();
  });
  return servers.join(',') + chroot;
}
