/** The front door as nginx is to have it: what is declared, with its files checked and copied to where only nginx reads them. */
import { z } from 'zod';
import { endpointOf } from '../routes/route-table.ts';

export interface TlsDoor {
  port: number;
  /** The gateway's own copies, named by what is in them: so another pair is another configuration. */
  certificate: string;
  key: string;
  /** Null: clients are asked for no certificate. */
  clientCa: string | null;
  redirect: boolean;
  /** Whom the certificate names, and until when it is valid, ms since the Unix epoch. */
  names: string[];
  notAfter: number;
}

export interface FrontDoor {
  /** Null: HTTP alone. */
  tls: TlsDoor | null;
}

export const noDoor: FrontDoor = { tls: null };

/** What is told of HTTPS: where it is, for whom the certificate is, until when (ms since the Unix epoch). */
export interface TlsWord {
  url: string;
  names: string[];
  notAfter: number;
  redirect: boolean;
  asksClients: boolean;
}

export function tlsWord({ tls }: FrontDoor, address: string): TlsWord | null {
  if (tls === null) return null;
  const { port, names, notAfter, redirect, clientCa } = tls;
  return { url: `https://${endpointOf({ address, port })}`, names, notAfter, redirect, asksClients: clientCa !== null };
}

/** As the gateway remembers it over a restart. */
export const frontDoorSchema: z.ZodType<FrontDoor> = z.object({
  tls: z
    .object({
      port: z.int().min(1).max(65_535),
      certificate: z.string(),
      key: z.string(),
      clientCa: z.string().nullable(),
      redirect: z.boolean(),
      names: z.array(z.string()),
      notAfter: z.number(),
    })
    .nullable(),
});
