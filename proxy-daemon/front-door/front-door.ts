/** The front door as nginx is to have it: what is declared, with its files checked and copied to where only nginx reads them. */
import { z } from 'zod';
import { type CorsSpec, type DoorOperation, usualBodyBytes } from '../../specs/front-door.ts';
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

/** Whom a door lets through, and what. Every value is checked: it may come from whoever can write to the registry. */
export interface DoorRules {
  /** Why nobody is let through; empty where the rest says who is. */
  closed: string;
  apiKeys: { header: string; clients: { name: string; sha256: string }[] } | null;
  /** The gateway's own copy of the htpasswd file. */
  usersFile: string | null;
  clientCertificate: 'required' | 'optional' | null;
  rate: { requests: number; per: 's' | 'm'; burst: number } | null;
  bodyBytes: number | null;
}

/** A service's part of the door. */
export interface ServiceDoor extends DoorRules {
  service: string;
  protocol: 'http' | 'grpc';
  retryNonIdempotent: boolean;
  cors: CorsSpec | null;
  /** The most exact first. */
  operations: OperationDoor[];
}

/** An operation's, complete: what it does not declare is its service's. */
export interface OperationDoor extends DoorRules, DoorOperation {
  /** It says itself who is let through, and how many; what it does not say is checked and counted with the service's other requests. */
  own: { access: boolean; rate: boolean };
}

export interface FrontDoor {
  /** Null: HTTP alone. */
  tls: TlsDoor | null;
  /** The largest body of a request. */
  bodyBytes: number;
  securityHeaders: boolean;
  /** Requests are logged. */
  log: boolean;
  /** Networks of proxies whose word of the client's address is believed. */
  trustedProxies: string[];
  /** Of the services that declare something. */
  services: ServiceDoor[];
}

export const noDoor: FrontDoor = {
  tls: null,
  bodyBytes: usualBodyBytes,
  securityHeaders: false,
  log: false,
  trustedProxies: [],
  services: [],
};

/** Somebody is told from others at it: what services hear of that must not come from callers. */
export function knowsClients({ services }: FrontDoor): boolean {
  return services
    .flatMap((door): DoorRules[] => [door, ...door.operations])
    .some(({ apiKeys, usersFile, clientCertificate }) => apiKeys || usersFile || clientCertificate);
}

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

const cors: z.ZodType<CorsSpec> = z.object({
  origins: z.array(z.string()),
  methods: z.array(z.string()),
  headers: z.array(z.string()),
  expose: z.array(z.string()),
  credentials: z.boolean(),
  maxAgeMs: z.number(),
});

const rules = {
  closed: z.string(),
  apiKeys: z
    .object({ header: z.string(), clients: z.array(z.object({ name: z.string(), sha256: z.string() })) })
    .nullable(),
  usersFile: z.string().nullable(),
  clientCertificate: z.enum(['required', 'optional']).nullable(),
  rate: z.object({ requests: z.number(), per: z.enum(['s', 'm']), burst: z.number() }).nullable(),
  bodyBytes: z.number().nullable(),
};

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
  bodyBytes: z.number(),
  securityHeaders: z.boolean(),
  log: z.boolean().default(false),
  trustedProxies: z.array(z.string()).default([]),
  services: z.array(
    z.object({
      ...{ service: z.string(), protocol: z.enum(['http', 'grpc']), retryNonIdempotent: z.boolean() },
      ...rules,
      cors: cors.nullable(),
      operations: z
        .array(
          z.object({
            ...{ method: z.string(), path: z.string() },
            ...rules,
            own: z.object({ access: z.boolean(), rate: z.boolean() }),
          }),
        )
        .default([]),
    }),
  ),
});
