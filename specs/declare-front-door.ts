/** The front door as declared, with defaults filled in; and the rules between its parts. Pure. */
import type { BrokenRule } from './broken-rule.ts';
import type { EnvironmentShape } from './environment-schema.ts';
import type { FrontDoorSpec, TlsSpec } from './front-door.ts';
import type { TlsShape } from './front-door-schema.ts';

export function declareFrontDoor(gateway: EnvironmentShape['gateway']): FrontDoorSpec {
  return gateway?.tls === undefined ? {} : { tls: declareTls(gateway.tls) };
}

function declareTls({ port, certificate, key, redirect = false, ...rest }: TlsShape): TlsSpec {
  const clientCa = rest['client-ca'];
  return { port, certificate, key, ...(clientCa === undefined ? {} : { clientCa }), redirect };
}

export function brokenFrontDoor({ gateway }: Pick<EnvironmentShape, 'gateway'>): BrokenRule[] {
  const { tls } = gateway ?? {};
  if (tls === undefined || tls.key !== tls.certificate) return [];
  const message =
    'key is the file of the certificate: keep the private key in a file of its own, readable by the gateway alone';
  return [{ path: ['gateway', 'tls', 'key'], on: 'value', message }];
}
