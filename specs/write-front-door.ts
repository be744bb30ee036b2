/** The front door as an environment file declares it. Pure. */
import type { FrontDoorSpec, TlsSpec } from './front-door.ts';

/** Entries of the gateway's map; undefined where something is not declared. */
export function frontDoorOf({ tls }: FrontDoorSpec): [string, unknown][] {
  return [['tls', tls && tlsOf(tls)]];
}

function tlsOf({ port, certificate, key, clientCa, redirect }: TlsSpec): object {
  return { port, certificate, key, ...(clientCa === undefined ? {} : { 'client-ca': clientCa }), redirect };
}
