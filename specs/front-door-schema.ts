/** The shape of the front door in an environment file. Rules between its parts are in declare-front-door.ts. */
import type { z } from 'zod';
import { map, text, truth, whole } from './schema-parts.ts';

const localFile = (example: string) =>
  text(`must be an absolute path such as ${example}`).regex(
    /^\/.*[^/]$/,
    `must be an absolute path such as ${example}`,
  );

const tls = map({
  port: whole(1, 65_535).describe('Port for HTTPS (HTTP/1.1 and HTTP/2), at the address of the HTTP port.'),
  certificate: localFile('/etc/mcp/site.pem').describe(
    "The gateway's certificate and those between it and its root, PEM; a file of the gateway's machine, read again when it changes.",
  ),
  key: localFile('/etc/mcp/site.key').describe(
    "The certificate's private key, PEM without a passphrase; a file of the gateway's machine. It never leaves it.",
  ),
  'client-ca': localFile('/etc/mcp/clients.pem')
    .optional()
    .describe("Certificates that clients' certificates must be signed by, PEM. Default: clients are asked for none."),
  redirect: truth.optional().describe('Whether the HTTP port sends requests for services on to HTTPS. Default: false.'),
}).describe('HTTPS and HTTP/2.');

/** What the gateway's part of an environment file may hold of the front door. */
export const frontDoorShape = {
  tls: tls.optional(),
};

/** Keys of the gateway whose values are not text whatever they look like. */
export const frontDoorKeys: readonly string[] = Object.keys(frontDoorShape);

export type TlsShape = z.infer<typeof tls>;
